package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
)

// options are the flags of `temporal server start-dev` that this server understands.
type options struct {
	ip               string
	everywhere       bool
	port             int
	uiPort           int
	metricsPort      int
	headless         bool
	namespaces       []string
	databaseFile     string
	logFormat        string
	logLevel         string
	codecEndpoint    string
	pragmas          map[string]string
	dynamicConfig    map[string]any
	searchAttributes map[string]enumspb.IndexedValueType
}

func parseOptions(arguments []string) (*options, error) {
	o := &options{
		pragmas:          map[string]string{},
		dynamicConfig:    map[string]any{},
		searchAttributes: map[string]enumspb.IndexedValueType{},
	}
	flags := flag.NewFlagSet("server start-dev", flag.ContinueOnError)
	flags.StringVar(&o.ip, "ip", "127.0.0.1", "loopback address to listen on")
	flags.BoolVar(&o.everywhere, "listen-everywhere", false, "frontend and Web UI listen on every address of this machine, open to\n"+
		"whoever reaches it: for a container in a network of its own")
	flags.IntVar(&o.port, "port", 7233, "gRPC port of the frontend")
	flags.IntVar(&o.uiPort, "ui-port", 0, "port of the Web UI (default: port + 1000)")
	flags.IntVar(&o.metricsPort, "metrics-port", 0, "port of the Prometheus metrics (default: none)")
	flags.BoolVar(&o.headless, "headless", false, "no Web UI")
	flags.StringVar(&o.databaseFile, "db-filename", "", "SQLite file (default: in memory)")
	flags.StringVar(&o.logFormat, "log-format", "text", "text, pretty or json")
	flags.StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn, error or never")
	flags.StringVar(&o.codecEndpoint, "ui-codec-endpoint", "", "codec server the Web UI decodes payloads with")
	flags.Func("namespace", "namespace to create (repeatable)", o.addNamespace)
	flags.Func("n", "short for --namespace", o.addNamespace)
	flags.Func("sqlite-pragma", "key=value (repeatable)", o.addPragma)
	flags.Func("dynamic-config-value", "key=JSON value (repeatable)", o.addDynamicConfig)
	flags.Func("search-attribute", "Name=Type (repeatable)", o.addSearchAttribute)
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	if rest := flags.Args(); len(rest) > 0 {
		return nil, fmt.Errorf("unexpected argument %q", rest[0])
	}
	return o, o.complete()
}

// complete fills the defaults that depend on other flags and refuses what this server must not do.
func (o *options) complete() error {
	if o.uiPort == 0 {
		o.uiPort = o.port + 1000
	}
	if len(o.namespaces) == 0 {
		o.namespaces = []string{"default"}
	}
	if o.ip == "localhost" {
		o.ip = "127.0.0.1"
	}
	address := net.ParseIP(o.ip)
	if address == nil || !address.IsLoopback() {
		return fmt.Errorf("--ip %s is refused: this server has no TLS and no authorization, so it listens on loopback only; "+
			"in a container with a network of its own, --listen-everywhere opens the frontend and the Web UI", o.ip)
	}
	return o.reservePorts()
}

// openIP is where the frontend and the Web UI listen; the services behind them and the metrics stay on loopback whatever was asked for.
func (o *options) openIP() string {
	if !o.everywhere {
		return o.ip
	}
	if net.ParseIP(o.ip).To4() == nil {
		return net.IPv6unspecified.String()
	}
	return net.IPv4zero.String()
}

// reservePorts turns a taken port into an error that names the flag, before anything is written.
func (o *options) reservePorts() error {
	type place struct {
		ip   string
		port int
	}
	wanted := map[string]place{"--port": {o.openIP(), o.port}}
	if !o.headless {
		wanted["--ui-port"] = place{o.openIP(), o.uiPort}
	}
	if o.metricsPort != 0 {
		wanted["--metrics-port"] = place{o.ip, o.metricsPort}
	}
	for name, at := range wanted {
		if _, err := reserve(at.ip, at.port); err != nil {
			return fmt.Errorf("%s %d cannot be used: %w", name, at.port, err)
		}
	}
	return nil
}

func (o *options) addNamespace(name string) error {
	o.namespaces = append(o.namespaces, name)
	return nil
}

func (o *options) addPragma(text string) error {
	key, value, err := pair(text)
	o.pragmas[key] = value
	return err
}

func (o *options) addDynamicConfig(text string) error {
	key, raw, err := pair(text)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal([]byte(raw), &value); err != nil {
		return fmt.Errorf("%s: %q is not JSON: %w", key, raw, err)
	}
	// The server reads whole numbers from an int, not from JSON's float.
	if number, isNumber := value.(float64); isNumber && number == float64(int(number)) {
		value = int(number)
	}
	o.dynamicConfig[key] = value
	return nil
}

func (o *options) addSearchAttribute(text string) error {
	name, typeName, err := pair(text)
	if err != nil {
		return err
	}
	kind, err := enumspb.IndexedValueTypeFromString(typeName)
	if err != nil {
		return fmt.Errorf("%s: %q is not a search attribute type", name, typeName)
	}
	o.searchAttributes[name] = kind
	return nil
}

func pair(text string) (key, value string, err error) {
	key, value, found := strings.Cut(text, "=")
	if !found || key == "" {
		return "", "", fmt.Errorf("%q is not of the form key=value", text)
	}
	return key, value, nil
}

func fileIsAbsent(path string) bool {
	_, err := os.Stat(path)
	return os.IsNotExist(err)
}
