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
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

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

let package = Package(
    name: "signalbox",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "signalbox", targets: ["Signalbox"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C, each behind one Swift library and seen by no other.
        .systemLibrary(name: "CRdKafka", path: "Shared/CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CLibPQ", path: "Shared/CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(name: "CPlatform", path: "Shared/CPlatform"),

        // Pure: values in, values out.
        shared("Message", [protobuf]),
        shared("Charset"),
        shared("SMPP", [nioCore, "Charset"]),
        shared("SMPPMessage", ["SMPP", "Charset", "Message"]),
        shared("Routing"),
        shared("Pricing", ["Routing"]),
        shared("Configuration", ["Pricing"]),

        // The bus, the database, and what every service needs to be one.
        shared("Bus", ["CRdKafka", "CPlatform", logging]),
        shared("Database", ["CLibPQ", "Pricing", logging]),
        shared("Store", ["Database", "Configuration", "Pricing", "Routing", "Message", crypto, cryptoExtras, logging]),
        shared(
            "ServiceKit",
            ["Bus", "Database", "Store", "Message", "CPlatform", protobuf, nioCore, nioPosix, nioHTTP1, logging, lifecycle, signals]),

        service(
            "IngressSMPP",
            [
                "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message", "SMPP", "SMPPMessage", "Charset", protobuf, nioCore,
                nioPosix,
                logging, lifecycle,
            ]),
        service(
            "EgressSMPP",
            [
                "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message", "SMPP", "SMPPMessage", "Charset", protobuf, nioCore,
                nioPosix,
                logging, lifecycle,
            ]),
        service("Router", ["ServiceKit", protobuf, "Bus", "Database", "Store", "Message", "Routing", logging, lifecycle]),
        service("Billing", ["ServiceKit", protobuf, "Bus", "Database", "Store", "Message", "Pricing", "Routing", logging, lifecycle]),
        service("DLRMatcher", ["ServiceKit", protobuf, "Bus", "Database", "Store", "Message", logging, lifecycle]),
        service("RouteLog", ["ServiceKit", protobuf, "Bus", "Database", "Store", "Message", logging, lifecycle]),
        service("Delay", ["ServiceKit", "Bus", "Message", logging, lifecycle]),
        service("LocalBroker", ["CPlatform", nioCore, nioPosix, logging]),
        service("SMSCSimulator", ["SMPP", "Charset", nioCore, nioPosix, logging]),
        service(
            "Supervisor",
            ["ServiceKit", "Bus", "Database", "Store", "Configuration", "Pricing", "SMPP", "Charset", "CPlatform", nioCore, logging]),

        .executableTarget(
            name: "Signalbox",
            dependencies: [
                "IngressSMPP", "EgressSMPP", "Router", "Billing", "DLRMatcher", "RouteLog", "Delay", "LocalBroker", "SMSCSimulator",
                "Supervisor", "ServiceKit", "Bus", "Database", "Store", "Configuration", "Message", "Pricing", "Routing",
                "SMPP", "Charset", "CPlatform", arguments, logging, lifecycle,
            ],
            path: "Services/Signalbox", swiftSettings: strict),

        tests("Tidy"),
        tests("Bus", ["Bus", "CRdKafka", "TestSupport", logging]),
        tests("EgressSMPP", ["EgressSMPP", "ServiceKit", "Bus", "Message", "SMPP", protobuf]),
        tests("Delay", ["Delay", "ServiceKit", "Bus", "Message", protobuf]),
        tests("Routing", ["Routing"]),
        tests("PriceTable", ["Pricing", "Routing"]),
        tests("RouteLog", ["RouteLog", "Message"]),
        tests("ServiceKit", ["ServiceKit", "Bus"]),
        tests(
            "Stages",
            [
                "Billing", "DLRMatcher", "RouteLog", "ServiceKit", "Bus", "Database", "Store", "Message", "Pricing", "Routing",
                "TestSupport", protobuf,
            ]),
        // Tests, and what several of them share.
        .target(name: "TestSupport", dependencies: ["Database", "LocalBroker", logging], path: "Tests/Support", swiftSettings: strict),
        tests("Database", ["Database", "Pricing", "TestSupport"]),
        tests("Configuration", ["Configuration", "Pricing"]),
        tests("Commands", ["Signalbox", "TestSupport", "Database"]),
        tests("Store", ["Store", "Database", "Configuration", "Pricing", "TestSupport"]),
        tests("Supervisor", ["Supervisor", "SMPP"]),
        tests("SMPP", ["SMPP", nioCore]),
        tests("Charset", ["Charset"]),
        tests("SMSCSimulator", ["SMSCSimulator", "SMPP", nioCore, nioPosix, logging], resources: [.copy("Resources")]),
        // A stage that tests start and kill; it is no part of the product.
        .executableTarget(name: "stage-probe", dependencies: ["Bus", logging], path: "Tests/StageProbe", swiftSettings: strict),
        tests("LocalBroker", ["LocalBroker", nioCore, nioPosix, logging], exclude: ["java", "python"]),
    ]
)
