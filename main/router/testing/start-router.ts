import { silentLogger } from '../../base/logger.ts'
import { createIdentity } from '../../protocol/attestation/certificate.ts'
import { fakeQuote } from '../../protocol/attestation/fake-tdx.ts'
import { policiesOf } from '../policies.ts'
import { Router, type RouterOptions } from '../router.ts'

export type Ports = RouterOptions['ports']

/** A way out on any free port. */
export const socksPort = (policy = 'any'): Ports[number] => ({ kind: 'socks', port: 0, policy })

/** A way in on any free port, to a runner on loopback. */
export const forwardPort = (port: number, policy = 'any'): Ports[number] => ({
  kind: 'forward',
  port: 0,
  target: { host: '127.0.0.1', port },
  policy,
})

/** A router on loopback with little proof of work; its identity carries a fake quote where `fake` is set. */
export async function startRouter(ports: Ports, options: Partial<RouterOptions> & { fake?: boolean } = {}): Promise<Router> {
  const { fake = false, ...given } = options
  const router = new Router({
    ports,
    policies: policiesOf(),
    difficulty: 4,
    host: '127.0.0.1',
    makeIdentity: () => createIdentity(fake ? { quote: fakeQuote } : {}),
    logger: silentLogger,
    ...given,
  })
  await router.start()
  return router
}

/** The port of a router that has only one of a kind. */
export function portOf(router: Router, kind: 'socks' | 'forward' = 'socks'): number {
  const port = router.ports.find((one) => one.kind === kind)
  if (port === undefined) throw new Error(`the router has no ${kind} port`)
  return port.port
}
