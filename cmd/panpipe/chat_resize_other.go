//go:build !unix

package main

// resizes yields never: there is no such signal here.
func resizes() (resized <-chan struct{}, stop func()) { return nil, func() {} }
