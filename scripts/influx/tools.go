//go:build tools

// Package tools names the programs that setup_influxdb.sh builds, for go.mod and go.sum to pin them.
package tools

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)
