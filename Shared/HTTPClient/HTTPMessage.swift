/// A request to somebody else's server.
package struct HTTPClientRequest: Sendable {
    package var method: String
    package var url: HTTPURL
    /// Besides Host, Content-Length and User-Agent.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(method: String, url: HTTPURL, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

package struct HTTPClientResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    /// Cut where it is longer than the client's bound.
    package var body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Why there is no response.
package enum HTTPClientFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case cannotResolve(String)
    /// The name stands for addresses that requests must not go to.
    case forbidden(String)
    case cannotConnect(String)
    case timeout
    /// The connection ended before the response was whole.
    case interrupted(String)

    package var description: String {
        switch self {
        case .cannotResolve(let host): "the name \(host) is unknown"
        case .forbidden(let host): "\(host) is an internal address, and requests to it are not allowed"
        case .cannotConnect(let why): "no connection: \(why)"
        case .timeout: "no answer in time"
        case .interrupted(let why): "the connection ended without an answer: \(why)"
        }
    }
}
