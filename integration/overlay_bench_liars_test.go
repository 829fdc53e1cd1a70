//go:build figures

package integration

import "testing"

func (o *overlay) measureLiars(t *testing.T) {}
