// Package pairing links a new device to an account.
package pairing
