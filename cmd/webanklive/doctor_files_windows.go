package main

// owner has nothing to compare: the directory inherits who may read it.
func (d *doctor) owner(string) {
	d.add(nameOwner, checkSkipped, "on Windows the directory inherits who may read it")
}
