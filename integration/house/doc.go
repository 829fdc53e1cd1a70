// Package house holds the rules of this repository as tests: which package may
// import which, that everything public is documented, that no test waits by
// sleeping, that the table of protocols tells the truth. It has no code of its
// own.
package house
