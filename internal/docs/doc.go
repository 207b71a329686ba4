// Package docs holds the tests of the documents: README.md, docs/ and their translations. Code blocks compile, commands are
// run or said to be checked elsewhere, links and names exist, and a page and its translation have the same shape.
package docs
