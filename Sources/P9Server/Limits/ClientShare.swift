internal import ServedTree

/// What one client (a connection or a board) holds of what all clients of a server share.
final class ClientShare: Sendable {
    let files: ClientFiles
    let memory: Budget.Account
    let messages: Budget.Account
    private let pool: DescriptorPool

    init(_ configuration: ServerConfiguration) {
        pool = configuration.descriptors
        memory = Budget.Account(configuration.limits.memory)
        files = pool.join(memory: memory)
        messages = Budget.Account(configuration.limits.messages)
    }

    deinit {
        pool.leave(files)
    }
}
