import Ingress
import Logging
import NIOCore
import SMPP
import ServiceKit
import Store

extension ESMEHandler {
    func authenticate(_ bind: Bind) {
        guard let context else { return }
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let shared = connector.shared
        let request = LoginRequest(
            username: bind.systemID, password: bind.password, session: "\(bind.kind)", remote: remote,
            connector: connector.configuration)
        // Ends with the database's answer or its timeout; `decided` gives back what comes after the connection's end.
        Task {
            let verdict: Result<LoginVerdict, any Error>
            do {
                verdict = .success(try await shared.authenticator.login(request))
            } catch {
                verdict = .failure(error)
            }
            eventLoop.execute { loopBound.value.decided(bind, verdict) }
        }
    }

    private func decided(_ bind: Bind, _ verdict: Result<LoginVerdict, any Error>) {
        let now = monotonicMilliseconds()
        guard context != nil, case .binding = session.state else {
            if case .success(.accepted(_, let id)) = verdict { connector.shared.registry.closed(id) }
            return
        }
        let status: CommandStatus
        switch verdict {
        case .success(.accepted(let account, let id)):
            status = .ok
            bound(bind, account, id)
            IngressMetrics.binds.add()
        case .success(.refused(let refusal, let why)):
            status = refusal.commandStatus
            refused(bind, why)
        case .failure(let error):
            status = .systemError
            refused(bind, "nobody could be asked: \(error)")
        }
        var response = BindResp(kind: bind.kind, systemID: status == .ok ? "signalbox" : nil)
        // SMPP 3.4, 5.3.2.25; not to a client of 3.3, which has no optional parameters.
        if status == .ok, allowsTLVs { response.tlvs.set(.scInterfaceVersion, InterfaceVersion.v34.rawValue) }
        perform(session.bindAnswered(status, response: response, now: now), now: now)
        flush()
        guard status == .ok, bind.kind.receives, let account, let context else { return }
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        connector.delivery.bound(
            DeliverySession(number: number, account: account.username) { items in
                eventLoop.execute { loopBound.value.deliver(items) }
            })
    }

    private func refused(_ bind: Bind, _ why: String) {
        IngressMetrics.refusedBinds.add()
        connector.logger.notice("bind refused", metadata: log(["account": "\(bind.systemID)", "reason": "\(why)"]))
    }

    private func bound(_ bind: Bind, _ account: Account, _ id: String) {
        guard let context else { return }
        let shared = connector.shared
        let eventLoop = context.eventLoop
        let loopBound = NIOLoopBound(self, eventLoop: eventLoop)
        self.account = account
        sessionID = id
        allowsTLVs = bind.interfaceVersion.allowsTLVs
        gates = RateGates(
            account: shared.registry.joinAccount(account.username, limit: account.throughputPerSecond), connector: connector.gate)
        number = shared.intake.join(Intake.Listener(eventLoop: eventLoop, settled: { loopBound.value.settled($0) }))
        shared.registry.opened(id) { eventLoop.execute { loopBound.value.kicked() } }
        connector.logger.info("session bound", metadata: log(["bind": "\(bind.kind)"]))
    }

    private func kicked() {
        guard session.boundKind != nil else { return }
        connector.logger.notice("session is ended by an operator", metadata: log(["session": "\(sessionID)"]))
        shutdown()
    }
}

extension LoginRefusal {
    /// SMPP 3.4, 5.1.3.
    fileprivate var commandStatus: CommandStatus {
        switch self {
        case .unknownUser: .invalidSystemID
        case .wrongPassword: .invalidPassword
        case .busy: .systemError
        case .tooManyLogins, .connectorFull, .accountFull, .locked, .notAllowedFromHere: .bindFailed
        }
    }
}
