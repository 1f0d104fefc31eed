import type { Address } from '@ton/core'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { readJsonFile } from './json-file.ts'
import { pseudoRoot } from './pseudo-root.ts'
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
const chainPart = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('local') }),
  z.strictObject({ kind: z.enum(['testnet', 'mainnet']), endpoints: z.array(chainEndpoint).min(1).max(8) }),
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

/** No blockchain at all (protocol 60 §10). */
const withoutChain = z.strictObject({
  name: networkName.optional(),
  pseudoRoot,
  /** Only derived addresses depend on it. */
  root: tonAddress.optional(),
})

export type NetworkFile =
  | (Omit<z.infer<typeof onChain>, 'root'> & { readonly mode: 'chain'; readonly root: Address })
  | {
      readonly mode: 'pseudo'
      readonly name: string
      readonly pseudoRoot: z.infer<typeof pseudoRoot>
      readonly root: Address | null
    }

export type ChainNetwork = Extract<NetworkFile, { mode: 'chain' }>

const chainForm = onChain.transform((read): NetworkFile => ({ ...read, mode: 'chain', root: read.root.address }))
const pseudoForm = withoutChain.transform(
  (read): NetworkFile => ({
    mode: 'pseudo',
    name: read.name ?? 'Without a blockchain',
    pseudoRoot: read.pseudoRoot,
    root: read.root?.address ?? null,
  }),
)

/** A file is of the one form or the other; saying why it is neither would hide the fault in the form that was meant. */
const either = z.unknown().transform((value, context): NetworkFile => {
  const isPseudo = typeof value === 'object' && value !== null && 'pseudoRoot' in value
  const parsed = (isPseudo ? pseudoForm : chainForm).safeParse(value)
  if (parsed.success) return parsed.data
  for (const { path, message } of parsed.error.issues) context.addIssue({ code: 'custom', path: [...path], message })
  return z.NEVER
})

/**
 * Reads a network file (docs/operators.md). Whoever wrote it may be hostile: size, every key, addresses and endpoints are checked.
 * @throws Failure `file-missing`, `file-too-large`, `file-malformed`
 */
export function readNetworkFile(path: string): NetworkFile {
  return readJsonFile(path, 'The network file', mostBytes, either)
}

/** The same for text that is no file yet; throws ZodError. */
export function parseNetwork(value: unknown): NetworkFile {
  return either.parse(value)
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
