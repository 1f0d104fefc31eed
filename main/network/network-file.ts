import type { Address } from '@ton/core'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { Failure } from '../base/failure.ts'
import { endpointPlace } from '../ton/endpoint-place.ts'
import { pseudoRootConfig } from '../ton/pseudo-root.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { parseBy, readJsonFile } from './json-file.ts'
import { tonAddress } from './scalars.ts'

/** With the code of three contracts a file without a blockchain takes some 50 KiB; anything near this is no network file. */
const mostBytes = 512 * 1024

/** An HTTP endpoint that speaks the second version of the toncenter API. Plain HTTP only inside this computer. */
export const chainEndpoint = z
  .string()
  .max(300)
  .refine((text) => {
    if (!URL.canParse(text)) return false
    const { protocol, hostname, username, password, hash } = new URL(text)
    const inside = hostname === '127.0.0.1' || hostname === 'localhost' || hostname === '[::1]'
    return username === '' && password === '' && hash === '' && (protocol === 'https:' || (protocol === 'http:' && inside))
  }, 'write an https address (http only for this computer), without a user name')

export const networkName = z
  .string()
  .trim()
  .min(1)
  .max(60)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are what is refused
  .regex(/^[^\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]*$/, 'has invisible characters')
/** What one endpoint says twice would pass for what two say. */
const namesEachOnce = (endpoints: readonly string[]): boolean =>
  new Set(endpoints.map((one) => (URL.canParse(one) ? endpointPlace(one) : one))).size === endpoints.length
export const chainEndpoints = (most: number) =>
  z.array(chainEndpoint).min(1).max(most).refine(namesEachOnce, 'names the same endpoint twice')
const chainPart = z.discriminatedUnion('kind', [
  /** The app has its chain itself; what is named here is asked for the network contract beside it. */
  z.strictObject({ kind: z.literal('local'), endpoints: chainEndpoints(7).optional() }),
  /** The first is what everything goes through; each is asked for the network contract. */
  z.strictObject({ kind: z.enum(['testnet', 'mainnet']), endpoints: chainEndpoints(8) }),
])

const onChain = z
  .strictObject({
    format: z.literal('cocoon-network'),
    version: z.literal(1),
    name: networkName,
    /** What the operator says it is; the network contract itself has the last word. */
    kind: z.enum(['local', 'open', 'attested']),
    chain: chainPart,
    root: tonAddress,
    createdAt: z.iso.datetime(),
  })
  .check((context) => {
    const { chain, kind, root } = context.value
    const refuse = (path: string, message: string): void => {
      context.issues.push({ code: 'custom', path: [path], message, input: context.value })
    }
    if ((kind === 'local') !== (chain.kind === 'local')) refuse('kind', `does not fit the chain ${chain.kind}`)
    // The flag of the address is all that keeps test coins and real ones apart for a person who copies it.
    if (root.testOnly === true && chain.kind === 'mainnet') refuse('root', 'is an address of a test network')
  })

/** No blockchain at all (protocol 60 §10): the state of the network contract is given, in the form of the reference. */
const withoutChain = z.strictObject({
  name: networkName.optional(),
  pseudoRoot: z.record(z.string().max(64), z.unknown()),
  /** Only derived addresses depend on it; by default that of the reference's test data. */
  root: tonAddress.optional(),
})

export type ChainNetwork = Omit<z.infer<typeof onChain>, 'root'> & { readonly mode: 'chain'; readonly root: Address }
export interface PseudoNetwork {
  readonly mode: 'pseudo'
  readonly name: string
  readonly root: RootConfig
}
export type NetworkFile = ChainNetwork | PseudoNetwork

/**
 * Reads a network file (docs/operators.md). Whoever wrote it may be hostile: size, every key, addresses and endpoints are checked.
 * @throws Failure `file-missing`, `file-too-large`, `file-malformed`, `pseudo-root-invalid`
 */
export function readNetworkFile(path: string): NetworkFile {
  return parseNetwork(readJsonFile(path, 'The network file', mostBytes, z.unknown()), `The network file ${path}`)
}

/** The same for what was read already. A file is of the one form or the other; `what` names it in messages. */
export function parseNetwork(json: unknown, what = 'The network file'): NetworkFile {
  if (typeof json === 'object' && json !== null && 'pseudoRoot' in json) {
    const { name, pseudoRoot, root } = parseBy(withoutChain, json, what)
    return { mode: 'pseudo', name: name ?? 'Without a blockchain', root: pseudoRootConfig(pseudoRoot, root?.address) }
  }
  const read = parseBy(onChain, json, what)
  return { ...read, mode: 'chain', root: read.root.address }
}

/** The same for a network that must be on a chain. Throws Failure `network-without-chain` too. */
export function readChainNetwork(path: string): ChainNetwork {
  const network = readNetworkFile(path)
  if (network.mode === 'chain') return network
  throw new Failure('network-without-chain', `${path} describes a network without a blockchain.`, {
    advice: 'Such a network is for the roles of the command line: cocoon-desktop client, worker or proxy with --network.',
  })
}

export function networkFileText(network: ChainNetwork): string {
  const { mode: _, root, chain, ...rest } = network
  const { format, version, name: label, kind, createdAt } = rest
  const testOnly = chain.kind === 'testnet'
  return `${JSON.stringify({ format, version, name: label, kind, chain, root: root.toString({ testOnly }), createdAt }, null, 2)}\n`
}

/** Writes the file whole or not at all; it holds no secret. Throws Failure `disk-full` or `write-failed`. */
export function writeNetworkFile(path: string, network: ChainNetwork): void {
  writeFileAtomic(path, networkFileText(network), { mode: 0o644 })
}
