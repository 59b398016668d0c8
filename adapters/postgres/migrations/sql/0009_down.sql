-- Takes revision 0009 back: subscriptions, deliveries and their log go with it.
DROP TABLE relay_cursors, relays, delivery_attempts, deliveries, delivery_endpoints, subscription_secrets, subscriptions;
