import Configuration
import HTTPProvider
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Listens for providers' calls wherever a connector says so, and follows changes. Connectors may share a port, each with its path.
final class CallbackServer: Service {
    /// By host and port, then by path.
    typealias Places = [Endpoint: [String: CallbackTarget]]

    private struct Listener {
        /// Ends when it is cancelled; awaited by `run`.
        var task: Task<Void, Never>
        var board: CallbackBoard
    }

    private static let retry = Duration.seconds(2)
    /// Open connections at a port, at most.
    private static let maxConnections = 1_000

    private let context: ServiceContext
    private let desk: ReceiptDesk
    private let wanted = Mutex<Places>([:])
    private let changes: AsyncStream<Void>
    private let change: AsyncStream<Void>.Continuation

    init(_ context: ServiceContext, desk: ReceiptDesk) {
        self.context = context
        self.desk = desk
        (changes, change) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func wanted(_ connectors: [ConnectorConfiguration]) {
        var places: Places = [:]
        for connector in connectors {
            guard let callback = connector.providerHTTP?.callback else { continue }
            var place = callback.listen
            if place.port != 0 { place.port = min(65_535, max(1, place.port + context.environment.portOffset)) }
            // Of two with the same path, which the check of a configuration refuses, the first stays.
            places[place, default: [:]][callback.path] =
                places[place]?[callback.path] ?? CallbackTarget(connector: connector.name, callback: callback)
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
                for (place, listener) in listeners where places[place] == nil {
                    listeners[place] = nil
                    await end(listener, at: place)
                }
                for (place, targets) in places {
                    if let listener = listeners[place] {
                        listener.board.set(targets)
                    } else {
                        let board = CallbackBoard(targets)
                        listeners[place] = Listener(task: Task { [self] in await listen(at: place, board) }, board: board)
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
    private func listen(at place: Endpoint, _ board: CallbackBoard) async {
        let (logger, health) = (context.environment.logger, context.health)
        let name = "callbacks at \(place)"
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        health.set(name, .starting)
        while !Task.isCancelled {
            do {
                let application = Application(
                    responder: CallbackResponder(board: board, desk: desk, logger: logger),
                    configuration: ApplicationConfiguration(
                        address: .hostname(place.host, port: place.port), serverName: "Signalbox",
                        availableConnectionsDelegate: MaximumAvailableConnections(CallbackServer.maxConnections, logger: quiet)),
                    onServerRunning: { _ in
                        logger.info("listens for providers' calls", metadata: ["address": "\(place)"])
                        health.set(name, .healthy)
                    }, logger: quiet)
                try await application.run()
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
        var parameters = FormDecoding.parameters((request.uri.query ?? "")[...])
        if headers["content-type"]?.lowercased().hasPrefix("application/x-www-form-urlencoded") ?? false {
            parameters.merge(FormDecoding.parameters(String(decoding: body, as: UTF8.self)[...])) { $1 }
        }
        let call = ProviderCall(
            method: request.method.rawValue, authorization: headers["authorization"], remote: context.remote,
            document: ReceivedDocument(headers: headers, body: body, parameters: parameters))
        switch CallbackDecision(call, target, now: wallClockMilliseconds()) {
        case .refuse(let status, let text):
            EgressMetrics.callbacksRefused.add()
            logger.warning("a provider's call refused", metadata: ["connector": "\(target.connector)", "reason": "\(text)"])
            return answer(status, text)
        case .keep(let records):
            guard await desk.keep(records) else {
                var later = answer(503, "try again")
                later.headers[.retryAfter] = "1"
                return later
            }
            EgressMetrics.receipts.add(records.count)
            return answer(200, target.callback.answer)
        }
    }

    private func answer(_ status: Int, _ text: String) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
