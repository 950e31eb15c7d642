/// Asks a silent server, on another connection, whether it works on the calls that wait for it.
///
/// A server that is slow says that it does, and nothing happens, however long it lasts. One that says twice, a second apart, that it is
/// idle or waits for us, while we wait for it, has not got the call, or its answer does not get here: the way between us is gone
/// although neither end was told (a balancer or a proxy goes on acknowledging). Where nobody can be asked nothing is concluded.
struct SilenceProbe {
    private let watch: SilenceWatch
    private var connections: [String: Connection] = [:]
    /// Of the last question, by mark.
    private var doubted: [Int: SilenceWatch.Suspect] = [:]
    /// How long a question may take.
    private static let patienceMilliseconds = 4_000

    /// What was asked, of processes with these numbers and starts.
    private static let these = """
        FROM unnest($1::bigint[], $2::text[]) AS asked (pid, started)
        JOIN pg_stat_activity a ON a.pid = asked.pid AND a.backend_start::text = asked.started
        """
    /// Where the state is not for us to see nothing is concluded either.
    private static let atWork = """
        SELECT a.pid::bigint \(these)
        WHERE a.state IS NULL OR a.state NOT LIKE 'idle%' AND NOT (a.state = 'active' AND a.wait_event_type IS NOT DISTINCT FROM 'Client')
        """
    private static let end = "SELECT pg_terminate_backend(a.pid) \(these)"

    init(watch: SilenceWatch) {
        self.watch = watch
    }

    /// Asks about the calls that are suspect now. To be called once a second.
    mutating func ask() {
        let suspects = Dictionary(grouping: watch.suspects(), by: \.server)
        connections = connections.filter { suspects[$0.key] != nil }
        var idle: [SilenceWatch.Suspect] = []
        for (server, asked) in suspects {
            do {
                let connection = try connections[server] ?? open(asked[0].url)
                connections[server] = connection
                let working = Set(try connection.query(SilenceProbe.atWork, parameters(asked.map(\.backend))).map { try $0.int(0) })
                let notWorking = asked.filter { !working.contains($0.backend.pid) }
                idle += notWorking
                let lost = notWorking.filter { doubted[$0.mark] == $0 }
                guard !lost.isEmpty else { continue }
                try connection.query(SilenceProbe.end, parameters(watch.giveUp(lost)))
            } catch {
                connections[server] = nil
            }
        }
        doubted = Dictionary(idle.map { ($0.mark, $0) }, uniquingKeysWith: { $1 })
    }

    private func open(_ url: String) throws -> Connection {
        try Connection(
            url: url, applicationName: "signalbox/probe", statementTimeoutMilliseconds: SilenceProbe.patienceMilliseconds,
            silenceMilliseconds: SilenceProbe.patienceMilliseconds, isProbed: false)
    }

    private func parameters(_ backends: [Backend]) -> [SQLValue] {
        [.intArray(backends.map(\.pid)), .textArray(backends.map(\.started))]
    }
}
