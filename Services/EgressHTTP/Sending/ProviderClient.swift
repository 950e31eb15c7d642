import AsyncHTTPClient
import Configuration
import HTTPProvider
import NIOCore
import NIOHTTP1
import NIOSSL

/// How a request ended.
enum RequestEnd: Sendable {
    case answered(ReceivedDocument)
    /// It was sent, and no answer came in time.
    case timedOut
    /// It was sent, or may have been, and the connection broke.
    case lost(String)
    /// There was no connection for it: the provider has nothing of it.
    case unreachable(String)
    /// It is no request that HTTP could carry.
    case impossible(String)
}

/// The connections to one provider: kept open, bounded, used again.
struct ProviderClient: Sendable {
    private static let connectTimeout = TimeAmount.seconds(5)
    /// A server closes idle connections itself; those that are closed here first are not written to in vain.
    private static let idleSeconds = 30

    private let client: HTTPClient
    private let eventLoop: any EventLoop
    private let timeout: TimeAmount

    /// Reads the certificate files. Blocks.
    /// - Parameter connections: at most at a time.
    init(_ configuration: ConnectorConfiguration, connections: Int, eventLoop: any EventLoop) throws {
        self.eventLoop = eventLoop
        timeout = .seconds(Int64(configuration.outgoing.responseTimeoutSeconds))
        var settings = HTTPClient.Configuration()
        settings.httpVersion = .http1Only
        settings.redirectConfiguration = .disallow
        settings.timeout.connect = ProviderClient.connectTimeout
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(1, connections)
        settings.connectionPool.retryConnectionEstablishment = false
        let idle = configuration.idleTimeoutSeconds
        settings.connectionPool.idleTimeout = .seconds(Int64(idle > 0 ? idle : ProviderClient.idleSeconds))
        if let tls = configuration.outgoing.tls { settings.tlsConfiguration = try ProviderClient.tls(tls) }
        // A group of one: each connection is on this loop without a request asking for it, for those that ask are outside the pool's
        // bound and are closed after use.
        client = HTTPClient(eventLoopGroupProvider: .shared(eventLoop), configuration: settings)
    }

    private static func tls(_ options: OutgoingOptions.TLS) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        switch options.verification {
        case .full: configuration.certificateVerification = .fullVerification
        case .chain: configuration.certificateVerification = .noHostnameVerification
        case .none: configuration.certificateVerification = .none
        }
        if let file = options.authoritiesFile { configuration.trustRoots = .file(file) }
        if let file = options.keyFile {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: file, format: .pem))
        }
        return configuration
    }

    /// To be called on the event loop, on which `then` is called too.
    func send(_ request: ProviderRequest, then: @escaping (RequestEnd) -> Void) {
        let prepared: HTTPClient.Request
        do {
            var headers = HTTPHeaders(request.headers.map { ($0.name, $0.value) })
            if !headers.contains(name: "User-Agent") { headers.add(name: "User-Agent", value: "Signalbox") }
            let body: HTTPClient.Body? = request.body.isEmpty ? nil : .byteBuffer(ByteBuffer(bytes: request.body))
            prepared = try HTTPClient.Request(url: request.url, method: HTTPMethod(rawValue: request.method), headers: headers, body: body)
        } catch {
            return then(.impossible("the request cannot be made: \(error)"))
        }
        let collector = AnswerCollector(eventLoop: eventLoop)
        let loopBound = NIOLoopBound(then, eventLoop: eventLoop)
        client.execute(
            request: prepared, delegate: collector, eventLoop: .delegate(on: eventLoop), deadline: .now() + timeout
        ).futureResult.hop(to: eventLoop).whenComplete { result in
            switch result {
            case .success(let document): loopBound.value(.answered(document))
            case .failure(let error): loopBound.value(ProviderClient.end(error, wasSent: collector.wasSent))
            }
        }
    }

    private static func end(_ error: any Error, wasSent: Bool) -> RequestEnd {
        guard wasSent else { return .unreachable(words(error)) }
        switch error as? HTTPClientError {
        case .deadlineExceeded?, .readTimeout?, .writeTimeout?: return .timedOut
        default: return .lost(words(error))
        }
    }

    private static func words(_ error: any Error) -> String {
        switch error as? HTTPClientError {
        case .connectTimeout?, .deadlineExceeded?, .getConnectionFromPoolTimeout?: "no connection in time"
        case .remoteConnectionClosed?: "the provider closed the connection"
        default: "\(error)"
        }
    }

    /// Ends the connections; what is under way fails.
    func close() { client.shutdown { _ in } }
}

/// Gathers an answer, its beginning at least. Lives on one event loop.
private final class AnswerCollector: HTTPClientResponseDelegate {
    /// What is looked at of an answer's body; the rest is read and dropped.
    private static let maxOctets = 65_536

    private struct State {
        var status = 0
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        var wasSent = false
    }

    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        state = NIOLoopBoundBox(State(), eventLoop: eventLoop)
    }

    /// Whether the provider may have something of the request.
    var wasSent: Bool { state.value.wasSent }

    func didSendRequestHead(task: HTTPClient.Task<ReceivedDocument>, _ head: HTTPRequestHead) { state.value.wasSent = true }

    func didReceiveHead(task: HTTPClient.Task<ReceivedDocument>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        state.value.status = Int(head.status.code)
        for (name, value) in head.headers { state.value.headers[name.lowercased()] = value }
        return eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<ReceivedDocument>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let room = AnswerCollector.maxOctets - state.value.body.count
        if room > 0 { state.value.body += buffer.readableBytesView.prefix(room) }
        return eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<ReceivedDocument>) throws -> ReceivedDocument {
        ReceivedDocument(status: state.value.status, headers: state.value.headers, body: state.value.body)
    }
}
