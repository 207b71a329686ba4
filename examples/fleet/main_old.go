//go:build !go1.25

package main

import "fmt"

func main() { fmt.Println("The simulator needs Go 1.25 or newer, for the clock of testing/synctest.") }
