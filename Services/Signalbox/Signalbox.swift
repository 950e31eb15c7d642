import ArgumentParser

/// The command tree. Each command parses, validates and calls the library that does the work.
@main
struct Signalbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signalbox", abstract: "A messaging gateway for operators and aggregators.",
        subcommands: [
            UpCommand.self,
            StatusCommand.self,
            RunCommand.self,
            MigrateCommand.self,
            ConfigCommand.self,
            AccountCommand.self,
            AccessCommand.self,
            WebhookCommand.self,
            RouteCommand.self,
            AddressListCommand<Blacklist>.self,
            AddressListCommand<Whitelist>.self,
            PriceCommand.self,
            ConnectorCommand.self,
            SessionCommand.self,
            SendCommand.self,
            MessageCommand.self,
            DLRCommand.self,
            ReportCommand.self,
            BrokerCommand.self,
            SMSCCommand.self,
            BenchCommand.self,
        ])
}
