import ArgumentParser
import Database
import Store

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database's schema up to date.",
        discussion: "Safe to repeat, and to run from several places at once.")

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (applied, partitions) = try store.withConnection { connection in
            (try Schema.migrator.migrate(connection), try Schema.ensurePartitions(connection))
        }
        struct Applied: Encodable {
            var version: Int
            var name: String
        }
        struct Answer: Encodable {
            var applied: [Applied]
            var partitions_made: Int
        }
        let lines = applied.map { "Applied \($0.version): \($0.name)" }
        let text = (lines.isEmpty ? ["The schema is up to date."] : lines) + ["Partitions made: \(partitions)"]
        try output.print(
            Answer(applied: applied.map { Applied(version: $0.version, name: $0.name) }, partitions_made: partitions),
            text: text.joined(separator: "\n"))
    }
}
