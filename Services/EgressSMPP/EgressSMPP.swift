// EgressSMPP
