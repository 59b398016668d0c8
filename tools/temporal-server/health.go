package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const (
	healthLimit = 5 * time.Second
	// The service whose health a frontend reports.
	healthService = "temporal.api.workflowservice.v1.WorkflowService"
)

// checkHealth asks a running server whether it serves, as `temporal operator cluster health` does; for a container's health check,
// whose image has no other program that speaks gRPC.
func checkHealth(arguments []string) error {
	flags := flag.NewFlagSet("operator cluster health", flag.ContinueOnError)
	address := flags.String("address", "127.0.0.1:7233", "host and port of the frontend")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	connection, err := grpc.NewClient(*address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("--address %s cannot be used: %w", *address, err)
	}
	defer func() { _ = connection.Close() }()
	limited, cancel := context.WithTimeout(context.Background(), healthLimit)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(connection).Check(limited, &grpc_health_v1.HealthCheckRequest{Service: healthService})
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", *address, err)
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("%s answers %s", *address, answer.GetStatus())
	}
	fmt.Println(answer.GetStatus())
	return nil
}
