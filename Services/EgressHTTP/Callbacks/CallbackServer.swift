import Configuration
import HTTPProvider
import Hummingbird
import HummingbirdCore
import Ingress
import Logging
import NIOCore
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Listens for providers' calls wherever a connector says so, and follows changes. Connectors may share a port, each with its path.
final class CallbackServer: Service {
    /// What is served at one port.
    struct Place: Sendable {
        var tls: IncomingOptions.TLS?
        /// By path.
        var targets: [String: CallbackTarget] = [:]
    }

    private struct Listener {
        var tls: IncomingOptions.TLS?
        /// Ends when it is cancelled; awaited by `run`.
        var task: Task<Void, Never>
        var board: CallbackBoard
    }

    private static let retry = Duration.seconds(2)
    /// Between two looks whether a certificate's file has changed.
    private static let refreshInterval = Duration.seconds(2)
    /// Open connections at a port, at most.
    private static let maxConnections = 1_000

    private let context: ServiceContext
    private let desk: ReceiptDesk
    private let intake: MessageIntake
    private let wanted = Mutex<[Endpoint: Place]>([:])
    private let changes: AsyncStream<Void>
    private let change: AsyncStream<Void>.Continuation

    init(_ context: ServiceContext, desk: ReceiptDesk, intake: MessageIntake) {
        self.context = context
        self.desk = desk
        self.intake = intake
        (changes, change) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func wanted(_ connectors: [ConnectorConfiguration]) {
        var places: [Endpoint: Place] = [:]
        for connector in connectors {
            guard let callback = connector.providerHTTP?.callback else { continue }
            var endpoint = callback.listen
            if endpoint.port != 0 { endpoint.port = min(65_535, max(1, endpoint.port + context.environment.portOffset)) }
            // Of two with the same path, or with other certificates, which the check of a configuration refuses, the first stays.
            places[endpoint, default: Place(tls: callback.tls)].targets.merge(CallbackTarget.all(of: connector.name, callback)) {
                first, _ in first
            }
        }
        wanted.withLock { $0 = places }
        change.yield()
    }

    func run() async throws {
        var listeners: [Endpoint: Listener] = [:]
        let change = change
        await withGracefulShutdownHandler {
            for await _ in changes {
                let places = wanted.withLock { $0 }
                for (place, listener) in listeners where places[place].map({ $0.tls != listener.tls }) ?? true {
                    listeners[place] = nil
                    await end(listener, at: place)
                }
                for (place, wanted) in places {
                    if let listener = listeners[place] {
                        listener.board.set(wanted.targets)
                    } else {
                        let board = CallbackBoard(wanted.targets)
                        let task = Task { [self] in await listen(at: place, wanted.tls, board) }
                        listeners[place] = Listener(tls: wanted.tls, task: task, board: board)
                    }
                }
            }
        } onGracefulShutdown: {
            change.finish()
        }
        for (place, listener) in listeners { await end(listener, at: place) }
        desk.close()
    }

    private func end(_ listener: Listener, at place: Endpoint) async {
        listener.task.cancel()
        await listener.task.value
        context.health.remove("callbacks at \(place)")
    }

    /// Until it is cancelled.
    private func listen(at place: Endpoint, _ options: IncomingOptions.TLS?, _ board: CallbackBoard) async {
        let (logger, health) = (context.environment.logger, context.health)
        let name = "callbacks at \(place)"
        health.set(name, .starting)
        while !Task.isCancelled {
            do {
                let tls = try options.map { try TLSContexts($0, logger: logger) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { [self] in try await serve(at: place, name, tls, board) }
                    if let tls {
                        group.addTask {
                            while true {
                                try await Task.sleep(for: CallbackServer.refreshInterval)
                                tls.refresh()
                            }
                        }
                    }
                    defer { group.cancelAll() }
                    try await group.next()
                }
            } catch is CancellationError {
                return
            } catch {
                guard !Task.isCancelled else { return }
                health.set(name, .failing("\(error)"))
                logger.error("cannot listen for providers' calls", metadata: ["address": "\(place)", "error": "\(error)"])
                try? await Task.sleep(for: CallbackServer.retry)
            }
        }
    }

    private func serve(at place: Endpoint, _ name: String, _ tls: TLSContexts?, _ board: CallbackBoard) async throws {
        let (logger, health) = (context.environment.logger, context.health)
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            responder: CallbackResponder(board: board, desk: desk, intake: intake, logger: logger),
            server: HTTPServerBuilder { CallbackChannel(tls, responder: $0) },
            configuration: ApplicationConfiguration(
                address: .hostname(place.host, port: place.port), serverName: "Signalbox",
                availableConnectionsDelegate: MaximumAvailableConnections(CallbackServer.maxConnections, logger: quiet)),
            onServerRunning: { _ in
                logger.info("listens for providers' calls", metadata: ["address": "\(place)", "tls": "\(tls != nil)"])
                health.set(name, .healthy)
            }, logger: quiet)
        try await application.run()
    }
}

/// Whose calls come in at one port, by path.
final class CallbackBoard: Sendable {
    private let targets: Mutex<[String: CallbackTarget]>

    init(_ targets: [String: CallbackTarget]) { self.targets = Mutex(targets) }

    func set(_ targets: [String: CallbackTarget]) { self.targets.withLock { $0 = targets } }
    func target(at path: String) -> CallbackTarget? { targets.withLock { $0[path] } }
}

/// Where a call comes from.
struct CallbackContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let remote: String?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        remote = source.channel.remoteAddress?.ipAddress
    }
}

/// Answers a provider's call.
struct CallbackResponder: HTTPResponder {
    private static let maxBodyOctets = 1_048_576

    let board: CallbackBoard
    let desk: ReceiptDesk
    let intake: MessageIntake
    let logger: Logger

    func respond(to request: Request, context: CallbackContext) async throws -> Response {
        guard let target = board.target(at: request.uri.path) else { return answer(404, "there is nothing here") }
        var request = request
        let body: [UInt8]
        do {
            body = Array(try await request.collectBody(upTo: CallbackResponder.maxBodyOctets).readableBytesView)
        } catch is NIOTooManyBytesError {
            return answer(413, "a call has at most \(CallbackResponder.maxBodyOctets) octets")
        }
        var headers: [String: String] = [:]
        for field in request.headers { headers[field.name.canonicalName] = field.value }
        var octets = FormDecoding.octets((request.uri.query ?? "")[...])
        if headers["content-type"]?.lowercased().hasPrefix("application/x-www-form-urlencoded") ?? false {
            octets.merge(FormDecoding.octets(String(decoding: body, as: UTF8.self)[...])) { $1 }
        }
        let call = ProviderCall(
            method: request.method.rawValue, authorization: headers["authorization"], remote: context.remote,
            document: ReceivedDocument(headers: headers, body: body, octets: octets))
        switch CallbackDecision(call, target, now: wallClockMilliseconds()) {
        case .refuse(let status, let text):
            EgressMetrics.callbacksRefused.add()
            logger.warning("a provider's call refused", metadata: ["connector": "\(target.connector)", "reason": "\(text)"])
            return answer(status, text)
        case .keep(let records):
            guard await desk.keep(records) else { return later() }
            EgressMetrics.receipts.add(records.count)
            return answer(200, target.answer)
        case .accept(let arrivals):
            return await intake.keep(arrivals, connector: target.connector) ? answer(200, target.answer) : later()
        }
    }

    private func later() -> Response {
        var later = answer(503, "try again")
        later.headers[.retryAfter] = "1"
        return later
    }

    private func answer(_ status: Int, _ text: String) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
