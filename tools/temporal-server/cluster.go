package main

import (
	"fmt"
	"net"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
)

const (
	clusterName = "active"
	// A fixed identity, stored in the database at its first start: another one would only log a warning each time.
	clusterID = "5f9c0c43-8a1e-4d0b-9d59-0f7d3a2b6c11"
	storeName = "sqlite"
)

// buildConfig describes one cluster of one host with one history shard, as `temporal server start-dev` has it.
func buildConfig(o *options) (*config.Config, error) {
	store, err := openStore(o)
	if err != nil {
		return nil, err
	}
	services, err := buildServices(o)
	if err != nil {
		return nil, err
	}
	// The address this process reaches its own frontend at, on loopback also when the frontend listens everywhere.
	frontend := net.JoinHostPort(o.ip, fmt.Sprint(o.port))
	c := &config.Config{
		Services: services,
		Persistence: config.Persistence{
			DefaultStore:     storeName,
			VisibilityStore:  storeName,
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{storeName: {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				RPCAddress:             frontend,
				ClusterID:              clusterID,
			}},
		},
	}
	c.Global.Membership.MaxJoinDuration = 30 * time.Second
	c.Global.Membership.BroadcastAddress = o.ip
	if o.metricsPort != 0 {
		address := net.JoinHostPort(o.ip, fmt.Sprint(o.metricsPort))
		c.Global.Metrics = &metrics.Config{Prometheus: &metrics.PrometheusConfig{ListenAddress: address, HandlerPath: "/metrics"}}
	}
	c.PublicClient.HostPort = frontend
	c.DCRedirectionPolicy.Policy = "noop"
	c.Archival.History.State = "disabled"
	c.Archival.Visibility.State = "disabled"
	c.NamespaceDefaults.Archival.History.State = "disabled"
	c.NamespaceDefaults.Archival.Visibility.State = "disabled"
	return c, nil
}

func buildServices(o *options) (map[string]config.Service, error) {
	services := map[string]config.Service{
		string(primitives.FrontendService): {RPC: config.RPC{GRPCPort: o.port, BindOnIP: o.openIP()}},
	}
	for _, name := range []primitives.ServiceName{primitives.HistoryService, primitives.MatchingService, primitives.WorkerService} {
		port, err := reserve(o.ip, 0)
		if err != nil {
			return nil, fmt.Errorf("no free port on %s: %w", o.ip, err)
		}
		services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: o.ip}}
	}
	return services, nil
}
