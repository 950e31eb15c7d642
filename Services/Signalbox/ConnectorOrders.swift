import ArgumentParser
import Configuration
import Store

/// `connector hold|unhold|bounce|stop|start`: orders that take effect on all instances within a second.
extension ConnectorCommand {
    struct Hold: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "hold", abstract: "Keep its sessions bound and send nothing; what comes for it waits in its queue.")
        @OptionGroup var order: OrderOptions
        func run() throws { try order.give(.hold, "is held") }
    }

    struct Unhold: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "unhold", abstract: "Send again after a hold.")
        @OptionGroup var order: OrderOptions
        func run() throws { try order.give(.unhold, "sends again") }
    }

    struct Bounce: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "bounce", abstract: "Unbind all its sessions and bind anew.")
        @OptionGroup var order: OrderOptions
        func run() throws { try order.give(.bounce, "binds anew") }
    }

    struct Stop: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "stop", abstract: "Unbind and stay away; routes pass it by, what is queued waits.")
        @OptionGroup var order: OrderOptions
        func run() throws { try order.give(.stop, "is stopped") }
    }

    struct Start: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "start", abstract: "Connect again after a stop.")
        @OptionGroup var order: OrderOptions
        func run() throws { try order.give(.start, "is started") }
    }

    struct OrderOptions: ParsableArguments {
        @Argument(help: "The connector's name.") var name: String
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func give(_ order: ConnectorControl.Order, _ effect: String) throws {
            if order != .stop, order != .start { try checkDirection(order) }
            guard try store.withConnection({ try ConnectorControl.give(order, to: name, $0, by: commandUser()) }) else {
                throw CommandFailure("there is no connector \(name)")
            }
            try output.print(["connector": name, "order": order.rawValue], text: "The connector \(name) \(effect).")
        }

        /// Clients open the sessions of an incoming connector: there is nothing of ours to hold.
        private func checkDirection(_ order: ConnectorControl.Order) throws {
            guard try store.withConnection({ try ConnectorStore.load($0, name: name) })?.direction == .incoming else { return }
            throw CommandFailure(
                "clients bind to \(name): \(order.rawValue) is for connectors towards providers (see `connector stop` and `session kick`)")
        }
    }
}
