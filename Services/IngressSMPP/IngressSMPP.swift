// IngressSMPP
