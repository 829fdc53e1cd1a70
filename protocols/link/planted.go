//go:build !plantedbug

package link

// planted is how many bytes a sender forgets when it goes back. With the build
// tag plantedbug there is one, for chaos to find.
const planted = 0
