// swift-tools-version: 6.2
// The layout is explained in docs/architecture.md: pure libraries and the few that know C or I/O under
// Shared/, one library per service under Services/, one executable (Services/Signalbox) for all of them.

import PackageDescription

/// What every target of ours is compiled with. Warnings in our own code are errors.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    // Five of a hundred of what a message costs were these checks. Debug builds, and so all tests, have them.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
// Its dependency swift-configuration has a module of the same name as ours.
let httpClient: Target.Dependency = .product(
    name: "AsyncHTTPClient", package: "async-http-client", moduleAliases: ["Configuration": "SwiftConfiguration"])

/// A library of Shared/ that does no I/O, or one of the few that do (their dependencies tell which).
func shared(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Shared/\(name)", exclude: exclude, swiftSettings: strict)
}

/// A service: it may use everything in Shared/ and no other service.
func service(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Services/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [], resources: [Resource]? = nil) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, resources: resources,
        swiftSettings: strict)
}

/// `make fuzz` sets it: then there is one more executable, whose `main` is libFuzzer's.
let fuzzes = Context.environment["SIGNALBOX_FUZZ"] != nil

let package = Package(
    name: "signalbox",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "signalbox", targets: ["Signalbox"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: ["FullFoundation"]),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    ],
    targets: [
        // C, each behind one Swift library and seen by no other.
        .systemLibrary(name: "CRdKafka", path: "Shared/CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CLibPQ", path: "Shared/CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CPCRE2", path: "Shared/CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "CPlatform", path: "Shared/CPlatform"),

        // Pure: values in, values out.
        shared("Message", [protobuf]),
        shared("Charset"),
        shared("SMPP", [nioCore, "Charset"]),
        shared("SMPPMessage", ["SMPP", "Charset", "Message"]),
        shared("Routing", ["CPCRE2"]),
        shared("Pricing", ["Routing"]),
        shared("Configuration", ["Pricing", "Routing", "HTTPProvider"]),
        // How a provider's HTTP API is spoken.
        shared("HTTPProvider", ["Routing"]),
        shared("LoadModel"),

        // The bus, the database, and what every service needs to be one.
        shared("Bus", ["CRdKafka", "CPlatform", logging]),
        shared("Database", ["CLibPQ", "Pricing", logging]),
        shared("Store", ["Database", "Configuration", "Pricing", "Routing", "Message", protobuf, crypto, cryptoExtras, logging]),
        shared(
            "ServiceKit",
            [
                "Bus", "Database", "Store", "Message", "Pricing", "CPlatform", protobuf, nioCore, nioPosix, nioHTTP1, logging, lifecycle,
                signals,
            ]),

        // Requests to others' servers.
        shared("HTTPClient", [nioCore, nioPosix, nioSSL, nioHTTP1]),

        // What every ingress needs, whatever its protocol: logins, limits, acceptance.
        shared(
            "Ingress",
            [
                "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message", "Pricing", "SMPP", "SMPPMessage", protobuf, nioCore,
                nioSSL, logging, lifecycle,
            ]),
        service(
            "IngressSMPP",
            [
                "Ingress", "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message", "Pricing", "SMPP", "SMPPMessage",
                "Charset", protobuf,
                nioCore, nioPosix, nioSSL, logging, lifecycle,
            ]),
        // What services that send to providers share, whatever their protocol.
        shared("Egress", ["ServiceKit", "Bus", "Database", "Store", "Configuration", "Message", protobuf, nioCore, logging, lifecycle]),

        .target(
            name: "IngressHTTP",
            dependencies: [
                "Ingress", "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message", "Pricing", "Routing", "SMPP",
                "SMPPMessage",
                "Charset", protobuf, crypto, hummingbirdCore, httpTypes, "HTTPClient", nioCore, nioPosix, nioSSL, nioHTTP1, logging,
                lifecycle,
            ],
            path: "Services/IngressHTTP", resources: [.embedInCode("API/openapi.json")], swiftSettings: strict),
        service(
            "EgressSMPP",
            [
                "Egress", "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message", "SMPP", "SMPPMessage", "Charset", protobuf,
                nioCore, nioPosix, nioSSL, logging, lifecycle,
            ]),
        service(
            "EgressHTTP",
            [
                "Egress", "Ingress", "SMPPMessage", "HTTPProvider", "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message",
                "Charset", protobuf,
                httpClient, hummingbird, hummingbirdCore, nioCore, nioPosix, nioHTTP1, nioSSL, logging, lifecycle,
            ]),
        service(
            "Router",
            ["ServiceKit", protobuf, "Bus", "Database", "Store", "Message", "Charset", "SMPPMessage", "Routing", logging, lifecycle]),
        service(
            "Billing",
            ["ServiceKit", protobuf, "Bus", "Configuration", "Database", "Store", "Message", "Pricing", "Routing", logging, lifecycle]),
        service("DLRMatcher", ["ServiceKit", protobuf, "Bus", "Configuration", "Database", "Store", "Message", logging, lifecycle]),
        service("RouteLog", ["ServiceKit", protobuf, "Bus", "Configuration", "Database", "Store", "Message", logging, lifecycle]),
        service("Delay", ["ServiceKit", "Bus", "Database", "Store", "Message", protobuf, logging, lifecycle]),
        service("LocalBroker", ["CPlatform", nioCore, nioPosix, logging]),
        service("SMSCSimulator", ["SMPP", "Charset", "LoadModel", nioCore, nioPosix, logging]),
        service(
            "Supervisor",
            ["ServiceKit", "Bus", "Database", "Store", "Configuration", "Pricing", "SMPP", "Charset", "CPlatform", nioCore, logging]),

        service(
            "Bench",
            [
                "ServiceKit", "Bus", "Database", "Store", "Pricing", "SMPP", "LoadModel", nioCore, nioPosix, nioHTTP1,
                logging,
            ]),

        .executableTarget(
            name: "Signalbox",
            dependencies: [
                "IngressSMPP", "IngressHTTP", "EgressSMPP", "EgressHTTP", "Router", "Billing", "DLRMatcher", "RouteLog", "Delay",
                "LocalBroker", "SMSCSimulator", "Supervisor", "Bench", "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message",
                "Pricing",
                "Routing",
                "SMPP", "Charset", "CPlatform", arguments, logging, lifecycle,
            ],
            path: "Services/Signalbox", swiftSettings: strict),

        tests("Tidy"),
        tests("Bus", ["Bus", "CRdKafka", "TestSupport", logging]),
        tests(
            "EgressSMPP",
            ["EgressSMPP", "Egress", "ServiceKit", "Store", "Bus", "Charset", "Configuration", "Message", "SMPP", "SMPPMessage", protobuf]),
        tests("Delay", ["Delay", "ServiceKit", "Bus", "Store", "Message", protobuf]),
        tests("Routing", ["Routing"]),
        tests("PriceTable", ["Pricing", "Routing"]),
        tests("RouteLog", ["RouteLog", "Message"]),
        tests("ServiceKit", ["ServiceKit", "Bus"]),
        tests(
            "Stages",
            [
                "Billing", "DLRMatcher", "RouteLog", "Router", "ServiceKit", "Bus", "Configuration", "Database", "Store", "Message",
                "Pricing", "Routing",
                "TestSupport", protobuf,
            ]),
        // Tests, and what several of them share.
        .target(name: "TestSupport", dependencies: ["Database", "LocalBroker", logging], path: "Tests/Support", swiftSettings: strict),
        tests("Database", ["Database", "Pricing", "TestSupport"]),
        tests("Configuration", ["Configuration", "HTTPProvider", "Pricing"]),
        tests("Commands", ["Signalbox", "TestSupport", "Database"]),
        tests("Store", ["Store", "Database", "Configuration", "Pricing", "Routing", "TestSupport"]),
        tests("Supervisor", ["Supervisor", "SMPP"]),
        tests("SMPP", ["SMPP", nioCore]),
        tests("Charset", ["Charset"]),
        tests("HTTPProvider", ["HTTPProvider"]),
        tests("EgressHTTP", ["EgressHTTP", "Egress", "HTTPProvider", "ServiceKit", "Bus", "Configuration", "Message", protobuf]),
        tests("SMSCSimulator", ["SMSCSimulator", "SMPP", nioCore, nioPosix, logging], resources: [.copy("Resources")]),
        // `make bench-routing`; it is no part of the product.
        .executableTarget(name: "routing-bench", dependencies: ["Routing"], path: "Tests/RoutingBench", swiftSettings: strict),
        // A stage that tests start and kill; it is no part of the product.
        .executableTarget(name: "stage-probe", dependencies: ["Bus", logging], path: "Tests/StageProbe", swiftSettings: strict),
        tests("SMPPMessage", ["SMPPMessage", "SMPP", "Charset", "Message", nioCore]),
        // What is fuzzed; the short run of it. `make fuzz` builds the rest (see the end).
        .target(name: "FuzzTargets", dependencies: ["SMPP", "Charset", nioCore], path: "Tests/Fuzz/Targets", swiftSettings: strict),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Replay", resources: [.copy("corpus")],
            swiftSettings: strict),
        // The codec's benchmark and its yardstick in C.
        .target(name: "CCodec", path: "Tests/Benchmarks/CCodec"),
        .executableTarget(
            name: "codec-bench", dependencies: ["SMPP", "CCodec", nioCore], path: "Tests/Benchmarks/Codec", swiftSettings: strict),
        tests("LocalBroker", ["LocalBroker", nioCore, nioPosix, logging], exclude: ["java", "python"]),
        .executableTarget(
            name: "stage-bench",
            dependencies: [
                "Billing", "RouteLog", "ServiceKit", "Bus", "Database", "Store", "Message", "Pricing", "Routing", "TestSupport", protobuf,
            ], path: "Tests/StageBench", swiftSettings: strict),
        tests("Money", ["Pricing", "Routing"]),
        tests("LoadModel", ["LoadModel"]),
        tests("Bench", ["Bench", "LoadModel", "SMPP", nioCore]),
        tests("IngressHTTP", ["IngressHTTP", "Charset", "HTTPClient", "Store", "Configuration", "Message"]),
        tests("HTTPClient", ["HTTPClient", nioCore, nioPosix, nioHTTP1]),
        tests("IngressSMPP", ["IngressSMPP", "Ingress", "ServiceKit", "Store", "Message", "SMPP", "Configuration"]),
    ]
)

if fuzzes {
    package.targets.append(
        .executableTarget(
            name: "fuzz-smpp", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/LibFuzzer",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
