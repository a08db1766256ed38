internal import LinuxFiles

/// What one client, be it a connection or a board, holds of what all clients of a server share.
final class ClientShare: Sendable {
    let descriptors: ClientDescriptors
    let memory: Budget.Account
    let messages: Budget.Account
    private let pool: DescriptorPool

    init(_ configuration: ServerConfiguration) {
        pool = configuration.descriptors
        descriptors = pool.join()
        memory = Budget.Account(configuration.limits.memory)
        messages = Budget.Account(configuration.limits.messages)
    }

    deinit {
        pool.leave(descriptors)
    }
}
