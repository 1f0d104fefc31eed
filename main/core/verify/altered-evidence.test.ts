import { createHash } from 'node:crypto'
import { Address } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { asError } from '../../base/failure.ts'
import { writeEvidence } from '../../chat/privacy/evidence-file.ts'
import { evidenceWith } from '../../protocol/attestation/testing/synthetic-intel.ts'
import { beginning, image } from '../../roles/testing/attested-network.ts'
import { modelName } from '../../worker/testing/worker-peer.ts'
import { AttestedScene } from '../testing/attested-scene.ts'
import { verifyEvidence } from './evidence.ts'

const { roots } = evidenceWith()
const modelHash = createHash('sha256').update(modelName).digest('hex')
const unlisted = '77'.repeat(32)
const otherAddress = new Address(0, Buffer.alloc(32, 7)).toString()

type Path = readonly (string | number)[]
type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** Everything in a file that holds no further parts. */
function leavesOf(json: Json, path: Path = []): Path[] {
  if (typeof json !== 'object' || json === null) return [path]
  return Object.entries(json).flatMap(([name, one]) => leavesOf(one, [...path, Array.isArray(json) ? Number(name) : name]))
}

const at = (json: Json, [name, ...rest]: Path): Json =>
  name === undefined ? json : at((json as Record<string, Json>)[name] ?? null, rest)

function changed(json: Json, [name, ...rest]: Path, value: Json | undefined): Json {
  if (name === undefined) return value ?? null
  const copy = Array.isArray(json) ? [...json] : { ...(json as object) }
  const parts = copy as Record<string, Json>
  if (rest.length > 0) parts[name] = changed(parts[name] ?? null, rest, value)
  else if (value === undefined) delete parts[name]
  else parts[name] = value
  return parts
}

/** A quote whose chain of certificates has another line break. */
function withOtherBreak(quote: string): string {
  const bytes = Buffer.from(quote, 'base64')
  const place = bytes.indexOf('-----BEGIN CERTIFICATE-----\n')
  if (place >= 0) bytes.fill(' ', place + 27, place + 28)
  return bytes.toString('base64')
}

/** Every way in which a leaf is altered. A long text is changed at many places: a quote has signed and unsigned parts. */
function alterations(value: Json): (Json | undefined)[] {
  if (typeof value === 'number') return [undefined, value + 1, value - 1, value + 86_400_000, value - 86_400_000, 0, 9e15]
  if (typeof value !== 'string') return [undefined, 'other', 1]
  const count = Math.min(value.length, value.length > 200 ? 40 : 6)
  const places = Array.from({ length: count }, (_, n) => Math.floor((n * value.length) / count))
  const swap = (place: number): string => value.slice(0, place) + (value[place] === '1' ? '2' : '1') + value.slice(place + 1)
  return [
    undefined,
    '',
    `${value}1`,
    otherAddress,
    unlisted,
    value.toUpperCase(),
    value.replace(/#\d+/, '#999'),
    withOtherBreak(value),
    ...new Set(places.map(swap)),
  ].filter((one) => one !== value)
}

const nameOf = (path: Path): string => path.join('.').replaceAll(/\b\d+\b/g, '*')

/**
 * Leaves that can be altered without being found out, and why. Whatever is not here is bound to a quote, to a key, or to another place of the file. To be
 * read with what the command prints as NOT PROVEN.
 */
const mayPass: Readonly<Record<string, string>> = {
  'report.connection': 'the count of the connection within one run of the app says nothing; endpoint and key in it are bound',
  'report.checkedAtMs':
    'by up to half a minute, as long as a check may take; nobody but the computer that checked vouches for the time',
  'report.rows.*.statement.text': 'wording: another version may say it otherwise, and verify prints its own',
  'report.rows.*.sentence.text': 'wording, as above; the code and the values beside it are bound',
  'report.evidence.*.name.text': 'wording, as above; verify does not print it',
  'report.evidence.proxy-contract.value': 'another valid address: which contracts a connection had, no quote says',
  'report.evidence.client-contract.value': 'as the proxy’s contract',
  'inputs.judgedAtMs': 'by seconds, as the time of the check',
  'inputs.proxy.quote': 'line breaks between the letters of its certificates, which are no part of what is signed or measured',
  'inputs.proxy.verifiedAtMs': 'within the hour for which a verification counts: the quote held then as well',
  'inputs.workers.*.quote.verifiedAtMs': 'as the proxy’s',
  'inputs.registry.blockTimeMs': 'by less than the second to which the row gives its age; no block proof is in the file',
  'inputs.registry.proxyHashes.*': 'entries of other images: what else the registry lists, nothing else in the file says',
  'inputs.registry.workerHashes.*': 'as those of proxies',
  'inputs.registry.modelHashes.*': 'as those of proxies',
}

describe('evidence of the attested level, made over real sockets', () => {
  const begin = beginning(() => new AttestedScene())
  const opened = begin({
    workers: 2,
    root: {
      proxyHashes: new Set([image, unlisted]),
      workerHashes: new Set([image, unlisted]),
      modelHashes: new Set([modelHash, unlisted]),
    },
  })

  async function savedFile(): Promise<Json> {
    const scene = await opened()
    const seal = await scene.seal()
    expect(seal.phase).toBe('earned')
    return JSON.parse(writeEvidence('attested', seal, scene.keeper.inputs).json) as Json
  }

  it('is refused whatever leaf of it is altered, but for those that are named here with the reason', async () => {
    const file = await savedFile()
    expect(verifyEvidence(file, roots)[0]).toMatch(/^PROVEN/)
    const passing = new Set<string>()
    const leaves = leavesOf(file)
    expect(leaves.length).toBeGreaterThan(120)
    for (const path of leaves)
      for (const value of alterations(at(file, path))) {
        try {
          verifyEvidence(changed(file, path, value), roots)
          passing.add(pathName(file, path))
        } catch (thrown) {
          expect(asError(thrown), nameOf(path)).toHaveProperty('code')
        }
      }
    expect([...passing].sort()).toEqual(Object.keys(mayPass).sort())
    // Hundreds of whole verifications: two minutes where others are at work too.
  }, 900_000)
})

/** Items of evidence by their id, everything else in a list by a star. */
function pathName(file: Json, path: Path): string {
  const [first, second, index] = path
  if (first === 'report' && second === 'evidence' && path.at(-1) === 'value')
    return `report.evidence.${String(at(file, ['report', 'evidence', index ?? 0, 'id']))}.value`
  return nameOf(path)
}
