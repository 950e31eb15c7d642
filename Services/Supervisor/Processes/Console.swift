import Foundation
import Synchronization

/// Prints the children's lines on standard error, each behind its child's name.
///
/// The writing has its own thread and a bounded queue: a terminal that is paused must not hold up the
/// children, whose pipes would fill. What does not fit is dropped, counted, and said.
///
/// `@unchecked Sendable`: `queue`, `queuedBytes`, `dropped` and `finished` are touched only while `condition` is locked;
/// the rest does not change.
final class Console: @unchecked Sendable {
    /// Bytes that may wait for the terminal.
    private static let capacity = 1 << 20
    private static let width = 12
    private static let colours = ["36", "33", "35", "32", "34", "96", "93", "95", "92", "94"]

    private let condition = NSCondition()
    private var queue: [[UInt8]] = []
    private var queuedBytes = 0
    private var dropped = 0
    private var finished = false
    private let descriptor: Int32
    private let isTerminal: Bool
    private let done = DispatchSemaphore(value: 0)

    init(descriptor: Int32 = STDERR_FILENO) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        let thread = Thread { [self] in
            loop()
            done.signal()
        }
        thread.name = "console"
        thread.start()
    }

    /// One line of `name`'s, without its end.
    func line(_ name: String, _ text: [UInt8]) {
        let line = Array(prefix(name).utf8) + (isTerminal ? Console.harmless(text) : text) + [0x0a]
        condition.lock()
        if queuedBytes + line.count > Console.capacity {
            dropped += 1
        } else {
            queue.append(line)
            queuedBytes += line.count
            condition.signal()
        }
        condition.unlock()
    }

    /// Writes what waits and ends the thread.
    func finish() {
        condition.lock()
        finished = true
        condition.signal()
        condition.unlock()
        // A paused terminal must not keep us from ending.
        _ = done.wait(timeout: .now() + 2)
    }

    private func prefix(_ name: String) -> String {
        let padded = name.count >= Console.width ? name : name + String(repeating: " ", count: Console.width - name.count)
        guard isTerminal else { return "\(padded) | " }
        let colour = Console.colours[Int(name.utf8.reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) } % UInt32(Console.colours.count))]
        return "\u{1b}[\(colour)m\(padded) |\u{1b}[0m "
    }

    /// A line may quote what a peer sent; its control characters must not steer the operator's terminal.
    static func harmless(_ text: [UInt8]) -> [UInt8] {
        text.map { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7f ? 0x3f : $0 }
    }

    private func loop() {
        while true {
            condition.lock()
            while queue.isEmpty && !finished && dropped == 0 { condition.wait() }
            var batch = queue.flatMap { $0 }
            if dropped > 0 { batch += Array("\(prefix("up"))\(dropped) lines were not shown: the terminal was too slow\n".utf8) }
            queue.removeAll(keepingCapacity: true)
            queuedBytes = 0
            dropped = 0
            let last = finished
            condition.unlock()
            writeAll(batch)
            if last && batch.isEmpty { return }
        }
    }

    private func writeAll(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                offset += count
            } else if errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&waiting, 1, 1_000)
            } else if errno != EINTR {
                return
            }
        }
    }
}
