package reach

import (
	"reflect"
	"testing"
)

func TestEveryConfigFieldHasADefault(t *testing.T) {
	var cfg Config
	cfg.normalize()
	v := reflect.ValueOf(cfg)
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Host", "Gater": // the host must be given; no gater is a choice
		default:
			if v.Field(i).IsZero() {
				t.Errorf("%s is left at zero", name)
			}
		}
	}
}
