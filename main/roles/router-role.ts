import { readFileSync } from 'node:fs'
import { asError, Failure } from '../base/failure.ts'
import type { ChildEntries } from '../child-entries.ts'
import { createIdentity } from '../protocol/attestation/certificate.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import { policiesOf } from '../router/policies.ts'
import { Router } from '../router/router.ts'
import { parseForwardPort, parseSocksPort, type RouterPort } from '../router/router-config.ts'
import { type AttestingOptions, type Machine, ownQuote, quoteJudge } from './attesting.ts'
import type { Role } from './role.ts'

export interface RouterRoleOptions extends AttestingOptions {
  /** Ports out, `port[@policy]`. */
  readonly socks: readonly string[]
  /** Ports in, `port:ip:port[@policy]`. */
  readonly reverse: readonly string[]
  /** File of policies beside the built-in ones. */
  readonly policyFile?: string
  readonly policyFromUserName: boolean
  /** Interface of the ports in. */
  readonly host: string
  /** Leading zero bits of the proof of work that peers owe who come in, 0 to 24. */
  readonly difficulty: number
  /** Shows a fake quote in the certificate: what peers with the policy fake_tdx ask for. It proves nothing. */
  readonly fakeQuote: boolean
  /** Where it runs: inside a machine that makes quotes its certificate carries one, where a port asks peers for it. As the kernel says, unless given. */
  readonly hardware?: Machine
  readonly entries: ChildEntries
}

/**
 * A router (protocol 10 §6): for workers and clients that look for a proxy, and in front of a proxy.
 * @throws Failure `bad-router-port`, `unknown-policy`, `bad-policy-file`, `policy-file-unreadable`; WireError `listen-failed`
 */
export async function startRouterRole(options: RouterRoleOptions): Promise<Role> {
  const { socks, reverse, policyFile, fakeQuote: isFake, policyFromUserName, host, difficulty, entries, logger } = options
  const ports = [...socks.map(parseSocksPort), ...reverse.map(parseForwardPort)]
  const policies = policiesOf(policyFile === undefined ? undefined : readPolicies(policyFile), quoteJudge(options))
  // It tells which machine this is: only where peers are asked for the same.
  const asksForTdx = ports.some(({ policy }) => policies.get(policy)?.kind === 'tdx')
  const quote = isFake ? fakeQuote : ownQuote(asksForTdx ? 'tdx' : 'any', options.hardware)
  const router = new Router({
    ports,
    policies,
    policyFromUserName,
    host,
    difficulty,
    makeIdentity: () => createIdentity(quote && { quote }),
    powThreadUrl: entries.powThread,
    logger: logger.room('router'),
  })
  await router.start()
  return {
    facts: router.ports.map((open, i) => factOf(ports[i], open.port, host)),
    // Connections last for as long as both ends like it: there is nothing to wait for. Both look for a way anew.
    stop: async () => {
      await router.stop()
      return 0
    },
  }
}

function factOf(port: RouterPort | undefined, number: number, host: string): string {
  if (port?.kind !== 'forward') return `Way out: 127.0.0.1:${number}, SOCKS5 (policy ${port?.policy})`
  return `Way in: ${host}:${number}, to ${port.target.host}:${port.target.port} (policy ${port.policy})`
}

function readPolicies(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (thrown) {
    throw new Failure('policy-file-unreadable', `The file of policies cannot be read: ${asError(thrown).message}`)
  }
}
