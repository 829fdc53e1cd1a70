// Package account is a person's account as its devices share it.
package account
