// RouteLog
