//go:build plantedbug

package link

// planted is a bug: a sender that goes back forgets a byte.
const planted = 1
