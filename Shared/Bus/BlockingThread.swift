import Foundation

/// Runs `body` on a thread of its own. librdkafka's polls block, so they may run neither on an event loop nor on the
/// cooperative pool. Whoever starts a thread also waits for its end (a semaphore or a continuation in `body`).
public func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.name = name
    thread.stackSize = 1 << 20
    thread.start()
}
