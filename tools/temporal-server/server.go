package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// stopLimit bounds the orderly stop. Every acknowledged write is already in SQLite's log, so leaving early loses nothing.
const stopLimit = time.Second

// serve runs the server and the Web UI until SIGINT or SIGTERM.
func serve(o *options) error {
	interrupted := temporal.InterruptCh()
	server, err := buildServer(o)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	if o.everywhere {
		fmt.Fprintln(os.Stderr, "temporal-server: --listen-everywhere: whoever reaches this machine may use this server; it has no TLS and no authorization")
	}
	fmt.Printf("Temporal server: %s\n", net.JoinHostPort(o.openIP(), fmt.Sprint(o.port)))
	if !o.headless {
		ui := buildUI(o)
		go func() { _ = ui.Start() }()
		defer ui.Stop()
		fmt.Printf("Web UI: http://%s\n", net.JoinHostPort(o.openIP(), fmt.Sprint(o.uiPort)))
	}
	<-interrupted
	stopped := make(chan struct{})
	go func() { _ = server.Stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(stopLimit):
	}
	return nil
}

func buildUI(o *options) *uiserver.Server {
	return uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host:                strings.TrimSuffix(net.JoinHostPort(o.openIP(), ""), ":"), // an IPv6 address in its brackets
		Port:                o.uiPort,
		TemporalGRPCAddress: net.JoinHostPort(o.ip, fmt.Sprint(o.port)),
		DefaultNamespace:    o.namespaces[0],
		EnableUI:            true,
		HideLogs:            true,
		DisableNewsFetch:    true,
		CORS:                uiconfig.CORS{CookieInsecure: true},
		Codec:               uiconfig.Codec{Endpoint: o.codecEndpoint},
	}))
}

func buildServer(o *options) (temporal.Server, error) {
	configuration, err := buildConfig(o)
	if err != nil {
		return nil, err
	}
	logger := buildLogger(o)
	authorizer, err := authorization.GetAuthorizerFromConfig(&configuration.Global.Authorization)
	if err != nil {
		return nil, fmt.Errorf("authorizer: %w", err)
	}
	claims, err := authorization.GetClaimMapperFromConfig(&configuration.Global.Authorization, logger)
	if err != nil {
		return nil, fmt.Errorf("claim mapper: %w", err)
	}
	return temporal.NewServer(
		temporal.WithConfig(configuration),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(staticHosts(o, configuration)),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(dynamicValues(o)),
	)
}

func staticHosts(o *options, configuration *config.Config) map[primitives.ServiceName]static.Hosts {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, service := range configuration.Services {
		address := net.JoinHostPort(o.ip, fmt.Sprint(service.RPC.GRPCPort))
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(address)
	}
	return hosts
}

func dynamicValues(o *options) dynamicconfig.StaticClient {
	values := dynamicconfig.StaticClient{
		// The server's 10 list calls a second are meant for a shared cluster; 100 is what the official CLI gives.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
	}
	for key, value := range o.dynamicConfig {
		values[dynamicconfig.MakeKey(key)] = value
	}
	return values
}

func buildLogger(o *options) log.Logger {
	if o.logLevel == "never" {
		return log.NewNoopLogger()
	}
	format := "console"
	if o.logFormat == "json" {
		format = "json"
	}
	// The logger exits the process on a level it does not know, so an unknown one falls back to warnings.
	switch o.logLevel {
	case "debug", "info", "warn", "error":
	default:
		fmt.Fprintf(os.Stderr, "temporal-server: --log-level %s is unknown, using warn\n", o.logLevel)
		o.logLevel = "warn"
	}
	return log.NewZapLogger(log.BuildZapLogger(log.Config{Stdout: true, Level: o.logLevel, Format: format}))
}
