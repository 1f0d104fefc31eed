import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import { noQuoteJudge, type QuoteJudge } from '../protocol/attestation/quote-verifier.ts'

/** Policies that every router knows (10 §8), also by the names of newer revisions, whose fake one takes real quotes too (95 §6). */
function builtIn(quotes: QuoteJudge): Readonly<Record<string, Policy>> {
  const tdx = { kind: 'tdx', quotes } as const
  const fake = { kind: 'fake_tdx' } as const
  return { any: { kind: 'any' }, fake_tdx: fake, fake_tee: { ...fake, quotes }, tdx, tee: tdx }
}

const hashOf = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`))
    .transform((text) => new Uint8Array(Buffer.from(text, 'hex')))
const measurement = hashOf(48)

const policyFile = z.record(
  z.string().regex(/^[\w-]{1,127}$/),
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('any'), imageHashes: z.array(hashOf(32)).optional() }),
    z.strictObject({
      type: z.enum(['fake_tdx', 'fake_tee', 'tdx', 'tee']),
      mrTds: z.array(measurement).optional(),
      rtmrSets: z.array(z.tuple([measurement, measurement, measurement, measurement])).optional(),
      imageHashes: z.array(hashOf(32)).optional(),
      collateralRootHashes: z.array(measurement).optional(),
    }),
  ]),
)

/**
 * The built-in policies and those of a file: `{"strict": {"type": "tdx", "imageHashes": ["<hex>"]}}` (docs/router.md).
 * @param quotes judges real quotes; without it all of them are refused
 * @throws Failure `bad-policy-file`
 */
export function policiesOf(fileText?: string, quotes: QuoteJudge = noQuoteJudge): ReadonlyMap<string, Policy> {
  const own = builtIn(quotes)
  const policies = new Map(Object.entries(own))
  if (fileText === undefined) return policies
  for (const [name, { type, ...lists }] of Object.entries(parseFile(fileText))) {
    const given = Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== undefined))
    const base = own[type]
    if (base !== undefined) policies.set(name, { ...base, ...given })
  }
  return policies
}

function parseFile(text: string): z.infer<typeof policyFile> {
  try {
    return policyFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new Failure('bad-policy-file', 'The file of policies cannot be read.', {
      cause,
      advice: 'It holds an object of policies, each with a type any, fake_tdx or tdx and lists of hashes in hex.',
    })
  }
}

/** @throws Failure `unknown-policy` */
export function policyNamed(policies: ReadonlyMap<string, Policy>, name: string): Policy {
  const policy = policies.get(name)
  if (policy === undefined)
    throw new Failure('unknown-policy', `There is no policy ${name}.`, {
      advice: `Choose one of ${[...policies.keys()].join(', ')}.`,
    })
  return policy
}
