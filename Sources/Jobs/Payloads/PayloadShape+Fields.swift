/// Shapes of so many fields; `make` gets their values, in their order.
///
/// One for each number, and not one for all: code that is generic over a pack of types looks them up at each call, which
/// takes half as long as the decoding itself.
extension PayloadShape {
    package init(_ make: @escaping @Sendable () -> Payload) {
        self.init([]) { _, _ in make() }
    }

    package init<A>(
        _ make: @escaping @Sendable (A) -> Payload,
        _ a: PayloadField<A>,
    ) {
        self.init([a.description]) { body, faults in
            let a = a.read(body, &faults)
            guard let a else { return nil }
            return make(a)
        }
    }

    package init<A, B>(
        _ make: @escaping @Sendable (A, B) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
    ) {
        self.init([a.description, b.description]) { body, faults in
            let a = a.read(body, &faults)
            let b = b.read(body, &faults)
            guard let a, let b else { return nil }
            return make(a, b)
        }
    }

    package init<A, B, C>(
        _ make: @escaping @Sendable (A, B, C) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
    ) {
        self.init([a.description, b.description, c.description]) { body, faults in
            let a = a.read(body, &faults)
            let b = b.read(body, &faults)
            let c = c.read(body, &faults)
            guard let a, let b, let c else { return nil }
            return make(a, b, c)
        }
    }

    package init<A, B, C, D>(
        _ make: @escaping @Sendable (A, B, C, D) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
        _ d: PayloadField<D>,
    ) {
        let fields = [
            a.description,
            b.description,
            c.description,
            d.description,
        ]
        self.init(fields) { body, faults in
            let a = a.read(body, &faults)
            let b = b.read(body, &faults)
            let c = c.read(body, &faults)
            let d = d.read(body, &faults)
            guard let a, let b, let c, let d else { return nil }
            return make(a, b, c, d)
        }
    }

    package init<A, B, C, D, E>(
        _ make: @escaping @Sendable (A, B, C, D, E) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
        _ d: PayloadField<D>,
        _ e: PayloadField<E>,
    ) {
        let fields = [
            a.description,
            b.description,
            c.description,
            d.description,
            e.description,
        ]
        self.init(fields) { body, faults in
            let a = a.read(body, &faults)
            let b = b.read(body, &faults)
            let c = c.read(body, &faults)
            let d = d.read(body, &faults)
            let e = e.read(body, &faults)
            guard let a, let b, let c, let d, let e else { return nil }
            return make(a, b, c, d, e)
        }
    }

    package init<A, B, C, D, E, F>(
        _ make: @escaping @Sendable (A, B, C, D, E, F) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
        _ d: PayloadField<D>,
        _ e: PayloadField<E>,
        _ f: PayloadField<F>,
    ) {
        let fields = [
            a.description,
            b.description,
            c.description,
            d.description,
            e.description,
            f.description,
        ]
        self.init(fields) { body, faults in
            let a = a.read(body, &faults)
            let b = b.read(body, &faults)
            let c = c.read(body, &faults)
            let d = d.read(body, &faults)
            let e = e.read(body, &faults)
            let f = f.read(body, &faults)
            guard let a, let b, let c, let d, let e, let f else { return nil }
            return make(a, b, c, d, e, f)
        }
    }

    package init<A, B, C, D, E, F, G>(
        _ make: @escaping @Sendable (A, B, C, D, E, F, G) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
        _ d: PayloadField<D>,
        _ e: PayloadField<E>,
        _ f: PayloadField<F>,
        _ g: PayloadField<G>,
    ) {
        let fields = [
            a.description,
            b.description,
            c.description,
            d.description,
            e.description,
            f.description,
            g.description,
        ]
        self.init(fields) { body, faults in
            let a = a.read(body, &faults)
            let b = b.read(body, &faults)
            let c = c.read(body, &faults)
            let d = d.read(body, &faults)
            let e = e.read(body, &faults)
            let f = f.read(body, &faults)
            let g = g.read(body, &faults)
            guard let a, let b, let c, let d, let e, let f, let g else { return nil }
            return make(a, b, c, d, e, f, g)
        }
    }
}
