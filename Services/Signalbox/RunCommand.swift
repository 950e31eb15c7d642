import ArgumentParser
import Billing
import DLRMatcher
import Delay
import EgressHTTP
import EgressSMPP
import IngressHTTP
import IngressSMPP
import RouteLog
import Router
import ServiceKit

/// `signalbox run SERVICE`: one service in this process. What a container runs, and what `up` starts.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one service.",
        discussion: """
            It finds its stores by SIGNALBOX_DATABASE_URL and SIGNALBOX_KAFKA, and stops in order on SIGTERM or SIGINT.
            """)

    /// The services, by the names that operators use.
    enum Name: String, ExpressibleByArgument, CaseIterable {
        case ingressSMPP = "ingress-smpp"
        case ingressHTTP = "ingress-http"
        case router
        case billing
        case egressSMPP = "egress-smpp"
        case egressHTTP = "egress-http"
        case dlrMatcher = "dlr-matcher"
        case routeLog = "routelog"
        case delay
    }

    @Argument(help: "Which one.") var service: Name

    func run() async throws {
        switch service {
        case .ingressSMPP: try await runService(service.rawValue, build: IngressSMPPService.build)
        case .ingressHTTP: try await runService(service.rawValue, build: IngressHTTPService.build)
        case .router: try await runService(service.rawValue, build: RouterService.build)
        case .billing: try await runService(service.rawValue, build: BillingService.build)
        case .egressSMPP: try await runService(service.rawValue, build: EgressSMPPService.build)
        case .egressHTTP: try await runService(service.rawValue, build: EgressHTTPService.build)
        case .dlrMatcher: try await runService(service.rawValue, build: DLRMatcherService.build)
        case .routeLog: try await runService(service.rawValue, build: RouteLogService.build)
        case .delay: try await runService(service.rawValue, build: DelayService.build)
        }
    }
}
