// LocalBroker
