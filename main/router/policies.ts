import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import type { Policy } from '../protocol/attestation/policy.ts'

/** Policies that every router knows (10 §8). */
const builtIn: Readonly<Record<string, Policy>> = { any: { kind: 'any' }, fake_tdx: { kind: 'fake_tdx' } }

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
      type: z.literal('fake_tdx'),
      mrTds: z.array(measurement).optional(),
      rtmrSets: z.array(z.tuple([measurement, measurement, measurement, measurement])).optional(),
      imageHashes: z.array(hashOf(32)).optional(),
      collateralRootHashes: z.array(measurement).optional(),
    }),
  ]),
)

/**
 * The built-in policies and those of a file: `{"strict": {"type": "fake_tdx", "imageHashes": ["<hex>"]}}` (docs/router.md).
 * @throws Failure `bad-policy-file`
 */
export function policiesOf(fileText?: string): ReadonlyMap<string, Policy> {
  const policies = new Map(Object.entries(builtIn))
  if (fileText === undefined) return policies
  for (const [name, { type, ...lists }] of Object.entries(parseFile(fileText))) {
    const given = Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== undefined))
    policies.set(name, { kind: type, ...given })
  }
  return policies
}

function parseFile(text: string): z.infer<typeof policyFile> {
  try {
    return policyFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new Failure('bad-policy-file', 'The file of policies cannot be read.', {
      cause,
      advice: 'It holds an object of policies, each with a type any or fake_tdx and lists of hashes in hex.',
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
