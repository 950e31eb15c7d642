import Configuration
import Egress
import Logging
import NIOCore
import NIOPosix

/// One of a connector's sessions: connects, binds, and does so again when the session is lost. Lives on the connector's event loop.
final class ProviderLink {
    private static let connectTimeout = TimeAmount.seconds(5)

    let index: Int
    private let connector: ProviderConnector
    private var backoff: ConnectBackoff
    private var isBusy = false
    private var isStopped = false
    /// The attempt that is scheduled.
    private var waiting: Scheduled<Void>?

    init(index: Int, connector: ProviderConnector) {
        self.index = index
        self.connector = connector
        backoff = ConnectBackoff(connector.configuration.outgoing)
    }

    func stop() {
        isStopped = true
        waiting?.cancel()
    }

    /// Starts to connect, unless that is under way, done, or to be waited with.
    func connect() {
        guard !isBusy, !isStopped, waiting == nil else { return }
        guard let wait = connector.configuration.outgoing.waitBeforeConnectSeconds, wait > 0 else { return attempt() }
        schedule(milliseconds: Int64(wait) * 1_000)
    }

    /// An operator wants it bound anew: no old failure is to be paid for any more.
    func hurry() {
        backoff.succeeded()
        guard waiting != nil else { return }
        waiting?.cancel()
        waiting = nil
        attempt()
    }

    private func attempt() {
        guard !isBusy, !isStopped else { return }
        let addresses = connector.configuration.addresses
        guard !addresses.isEmpty else { return }
        isBusy = true
        let address = addresses[backoff.address(of: addresses.count)]
        let loopBound = NIOLoopBound(self, eventLoop: connector.eventLoop)
        guard let tls = connector.configuration.outgoing.tls else { return open(address, nil) }
        // Certificates are read anew for each attempt, so that a new one needs no restart; files are not read on an event loop.
        NIOThreadPool.singleton.runIfActive(eventLoop: connector.eventLoop) { try ProviderTLS(tls, host: address.host) }.whenComplete {
            let link = loopBound.value
            switch $0 {
            case .success(let context): link.open(address, context)
            case .failure(let error): link.ended(.unreachable, why: "TLS cannot be set up: \(error)")
            }
        }
    }

    private func open(_ address: Endpoint, _ tls: ProviderTLS?) {
        let options = connector.configuration.outgoing
        let loopBound = NIOLoopBound(self, eventLoop: connector.eventLoop)
        var bootstrap = ClientBootstrap(group: connector.eventLoop)
            .connectTimeout(ProviderLink.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let link = loopBound.value
                    let handler = ProviderHandler(connector: link.connector, index: link.index, address: "\(address)") { ending, why in
                        link.ended(ending, why: why)
                    }
                    if let tls { try channel.pipeline.syncOperations.addHandler(try tls.handler()) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        if options.sourceIP != nil || options.sourcePort != nil {
            do {
                let isIPv6 = address.host.contains(":")
                let port = options.sourcePort.map { min(65_535, $0 + index) } ?? 0
                let local = try SocketAddress(ipAddress: options.sourceIP ?? (isIPv6 ? "::" : "0.0.0.0"), port: port)
                bootstrap = bootstrap.channelOption(.socketOption(.so_reuseaddr), value: 1).bind(to: local)
            } catch {
                return ended(.unreachable, why: "TCPSOURCEIP is no address of this machine: \(error)")
            }
        }
        bootstrap.connect(host: address.host, port: address.port)
            .whenFailure { error in loopBound.value.ended(.unreachable, why: "cannot connect to \(address): \(error)") }
    }

    /// The session is over, or never came about.
    private func ended(_ ending: ConnectBackoff.Ending, why: String) {
        isBusy = false
        if ending == .lost { backoff.succeeded() }
        guard !isStopped else { return }
        connector.noteFailure(why, index: index)
        schedule(milliseconds: backoff.ended(ending, chance: Double.random(in: 0...1)))
    }

    private func schedule(milliseconds: Int64) {
        waiting?.cancel()
        let loopBound = NIOLoopBound(self, eventLoop: connector.eventLoop)
        waiting = connector.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
            let link = loopBound.value
            link.waiting = nil
            if link.connector.wantsConnection { link.attempt() }
        }
    }
}
