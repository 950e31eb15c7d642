import Configuration
import Logging
import NIOCore
import NIOPosix

/// One of a connector's INSTANCES: connects, binds, and does so again when the session is lost. Lives on the connector's event loop.
final class ProviderLink {
    /// Waits between attempts: doubled each time, with up to a quarter of chance, so that many links do not come back at once.
    private static let firstWaitMilliseconds: Int64 = 200
    private static let longestWaitMilliseconds: Int64 = 5_000
    private static let connectTimeout = TimeAmount.seconds(5)

    let index: Int
    private let connector: ProviderConnector
    private var wait = ProviderLink.firstWaitMilliseconds
    private var attempt = 0
    private var isBusy = false
    private var isStopped = false

    init(index: Int, connector: ProviderConnector) {
        self.index = index
        self.connector = connector
    }

    func stop() { isStopped = true }

    /// Starts to connect, unless that is under way or done.
    func connect() {
        guard !isBusy, !isStopped else { return }
        isBusy = true
        let addresses = connector.configuration.addresses
        guard !addresses.isEmpty else { return }
        // Every address in turn.
        let address = addresses[attempt % addresses.count]
        attempt += 1
        let loopBound = NIOLoopBound(self, eventLoop: connector.eventLoop)
        ClientBootstrap(group: connector.eventLoop)
            .connectTimeout(ProviderLink.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let link = loopBound.value
                    let handler = ProviderHandler(connector: link.connector, index: link.index, address: "\(address)") { wasBound, why in
                        link.ended(wasBound: wasBound, why: why)
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: address.host, port: address.port)
            .whenFailure { error in loopBound.value.ended(wasBound: false, why: "cannot connect to \(address): \(error)") }
    }

    /// The session is over, or never came about.
    private func ended(wasBound: Bool, why: String) {
        isBusy = false
        if wasBound { wait = ProviderLink.firstWaitMilliseconds }
        connector.noteFailure(why, index: index)
        guard !isStopped else { return }
        let delay = wait + Int64.random(in: 0...(wait / 4))
        wait = min(wait * 2, ProviderLink.longestWaitMilliseconds)
        let loopBound = NIOLoopBound(self, eventLoop: connector.eventLoop)
        connector.eventLoop.scheduleTask(in: .milliseconds(delay)) {
            let link = loopBound.value
            if link.connector.wantsConnection { link.connect() }
        }
    }
}
