// DLRMatcher
