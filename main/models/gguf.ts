import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { asError, Failure } from '../base/failure.ts'
import { checkCounts, checkExpectedTypes, checkKnown, checkTokenLists } from './gguf-expectations.ts'
import { fileTypes, removedTensorTypes, tensorTypes } from './gguf-types.ts'
import { type List, type Value, valueTypes } from './gguf-values.ts'
import { BadHeader, HeaderReader, NeedMoreBytes } from './header-reader.ts'
import { layoutOf, type ModelLayout, type TensorBytes } from './layout.ts'
import { checkTemplateDepth } from './template-depth.ts'

/** What the header of a GGUF file says about its model. */
export interface GgufHeader {
  readonly version: number
  readonly architecture: string
  readonly name: string | null
  /** Tokens the model was trained to read at once. */
  readonly contextTokens: number | null
  readonly hasChatTemplate: boolean
  /** As llama.cpp names it, e.g. `Q4_K_M`. */
  readonly quantization: string | null
  readonly parameters: number
  /** Kind of tokenizer, e.g. `gpt2` or `llama`. */
  readonly tokenizer: string | null
  readonly vocabulary: number | null
  readonly licence: string | null
  /** What the memory need follows from; null for a kind of model that says too little about itself. */
  readonly layout: ModelLayout | null
}

/** Larger headers do not occur: the biggest vocabularies with their merges take about 20 MB. */
const mostHeaderBytes = 128 * 1024 * 1024
const mostPairs = 100_000
/** Of the largest models some thousands. */
const mostTensors = 65_536
/** Texts in all lists together: the biggest vocabularies have about 800 000 tokens and merges. */
const mostTexts = 3_000_000
/** The biggest vocabularies have about 260 000. Each is held against all others. */
const mostTokens = 1_000_000
/** The native library keeps names in 64 bytes, the last of which ends them. */
const mostTensorNameBytes = 63
/** Templates of real models stay below 100 kB. */
const mostTemplateBytes = 1024 * 1024
/** Lists of numbers up to this length are kept: one value a layer. The vocabulary's are passed over. */
const mostKeptItems = 4096
/** Of all lists of a header together. Real ones keep some thousands. */
const mostKeptNumbers = 1_000_000
const { string, array, bool } = valueTypes
const fixedSize: Record<number, number> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }

/**
 * Reads and checks the header of a file: every count, length and offset against the size of the file, so that a truncated file is
 * noticed without reading its weights. Throws `Failure` `not-a-model` with a sentence for the user.
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = await opened(path)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw notAFile()
    for (let length = 1024 * 1024; ; length *= 4) {
      const bytes = new Uint8Array(Math.min(length, stat.size, mostHeaderBytes))
      let filled = 0
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      const header = tryParse(bytes.subarray(0, filled), stat.size, filled === bytes.length && bytes.length < mostHeaderBytes)
      if (header !== undefined) return header
    }
  } finally {
    await file.close()
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    // A pipe waits for its other end, and a device may do something when it is opened.
    if (!(await stat(path)).isFile()) throw notAFile()
    // Should it have become a pipe since.
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure('not-a-model', 'The file cannot be opened.', {
      advice: 'Check that it exists and may be read.',
      words: { code: 'file-not-opened' },
      cause: error,
    })
  }
}

function notAFile(): Failure<'not-a-model'> {
  return new Failure('not-a-model', 'This is not a file.', { words: { code: 'file-not-opened' } })
}

function tryParse(bytes: Uint8Array, fileBytes: number, moreToCome: boolean): GgufHeader | undefined {
  try {
    return parseGgufHeader(bytes, fileBytes)
  } catch (error) {
    if (error instanceof NeedMoreBytes && moreToCome && bytes.length < fileBytes) return undefined
    const sentence = error instanceof NeedMoreBytes ? 'Its header is impossibly large.' : asError(error).message
    throw new Failure('not-a-model', `This file cannot be used as a model. ${sentence}`, {
      advice: 'Download it again, or choose another file.',
      cause: error,
    })
  }
}

/** The same for bytes in memory; throws `BadHeader` or `NeedMoreBytes`. */
export function parseGgufHeader(bytes: Uint8Array, fileBytes: number): GgufHeader {
  const reader = new HeaderReader(bytes, fileBytes)
  const version = start(reader, fileBytes)
  const tensorCount = reader.u64('The number of its tensors')
  const pairCount = reader.u64('The number of its properties')
  if (pairCount > mostPairs) throw new BadHeader('Its header holds impossibly many properties.')
  if (tensorCount > mostTensors) throw new BadHeader('It has impossibly many tensors.')
  const values = new Map<string, Value>()
  const kept: Kept = { numbers: 0, texts: 0 }
  for (let i = 0; i < pairCount; i++) {
    const key = reader.text('A name in it', 65_535)
    if (key.includes('\0')) throw new BadHeader('It has a property with an impossible name.')
    if (values.has(key)) throw new BadHeader(`It has the property "${key.slice(0, 60)}" twice.`)
    const type = reader.u32()
    checkExpectedTypes(key, type)
    values.set(key, value(reader, type, key, kept))
  }
  checkTokenLists(values)
  const weights = tensors(reader, tensorCount, alignment(values), fileBytes)
  return describe(version, values, weights)
}

function start(reader: HeaderReader, fileBytes: number): number {
  if (fileBytes === 0) throw new BadHeader('It is empty.')
  if (fileBytes < 24) throw new BadHeader('It is too short to be a GGUF file.')
  const magic = reader.u32()
  if (magic !== 0x46_55_47_47) throw new BadHeader('It is not a GGUF file.')
  const version = reader.u32()
  if (version === 2 || version === 3) return version
  if ((version & 0xffff) === 0) throw new BadHeader('It was made for big-endian machines.')
  throw new BadHeader(`Its GGUF version ${version} is not supported.`)
}

/** How much of lists was read until now: a header of small items by the million would hold up the whole app. */
interface Kept {
  numbers: number
  texts: number
}

function value(reader: HeaderReader, type: number, key: string, kept: Kept): Value {
  if (type === string && key === 'tokenizer.chat_template') {
    const template = reader.text('A text in it', mostTemplateBytes)
    checkTemplateDepth(template)
    return template
  }
  if (type === string) return reader.text('A text in it', mostHeaderBytes)
  if (type === bool) return reader.u8() !== 0
  if (type !== array) return reader.number(type)
  const itemType = reader.u32()
  checkExpectedTypes(key, type, itemType)
  const items = reader.u64('The length of a list in it')
  const size = fixedSize[itemType]
  if (size !== undefined) return { items, itemType, numbers: numbers(reader, itemType, items, size, kept) }
  // The engine reads none of lists either.
  if (itemType === array) throw new BadHeader('It contains a list of lists.')
  if (itemType !== string) throw new BadHeader('It contains a list of an unknown type.')
  kept.texts += items
  if (kept.texts > mostTexts) throw new BadHeader('Its header holds impossibly many texts.')
  if (key === 'tokenizer.ggml.tokens') checkTokens(reader, items)
  else for (let i = 0; i < items; i++) reader.skip(reader.u64('A text in it'))
  return { items, itemType, numbers: null }
}

/** The native library ends its process at a token that comes twice. Those without text get names of their own there. */
function checkTokens(reader: HeaderReader, items: number): void {
  if (items > mostTokens) throw new BadHeader('It has impossibly many tokens.')
  const seen = new Set<string>()
  for (let i = 0; i < items; i++) {
    const token = reader.bytesToZero('A token')
    if (token !== '' && seen.has(token)) throw new BadHeader(`It has a token twice: number ${i}.`)
    seen.add(token)
  }
}

function numbers(reader: HeaderReader, itemType: number, items: number, size: number, kept: Kept): List['numbers'] {
  if (items > mostKeptItems) {
    reader.skip(items * size)
    return null
  }
  kept.numbers += items
  if (kept.numbers > mostKeptNumbers) throw new BadHeader('Its header holds impossibly many numbers.')
  return Array.from({ length: items }, () => (itemType === bool ? reader.u8() : reader.number(itemType)))
}

function alignment(values: ReadonlyMap<string, Value>): number {
  const given = values.get('general.alignment') ?? 32
  if (typeof given !== 'number' || given < 1 || given > 65_536 || (given & (given - 1)) !== 0)
    throw new BadHeader('Its alignment is impossible.')
  return given
}

interface Weights {
  readonly parameters: number
  /** Type that holds most of the bytes. */
  readonly mainType: string | null
  readonly tensors: readonly TensorBytes[]
}

function tensors(reader: HeaderReader, count: number, align: number, fileBytes: number): Weights {
  let parameters = 0
  let end = 0
  const names = new Set<string>()
  const bytesByType = new Map<string, number>()
  const found: (TensorBytes & { readonly offset: number })[] = []
  for (let i = 0; i < count; i++) {
    const name = reader.text('A name in it', mostTensorNameBytes)
    if (name.includes('\0')) throw new BadHeader('It has a tensor with an impossible name.')
    if (names.has(name)) throw new BadHeader('It has a tensor twice.')
    names.add(name)
    const dimensions = reader.u32()
    if (dimensions < 1 || dimensions > 4) throw new BadHeader('It has a tensor of an impossible shape.')
    let elements = 1
    for (let d = 0; d < dimensions; d++) elements *= reader.u64('The size of a tensor')
    const type = reader.u32()
    const offset = reader.u64('The place of a tensor')
    if (!Number.isSafeInteger(elements) || elements === 0) throw new BadHeader('It has a tensor of an impossible size.')
    if (offset % align !== 0) throw new BadHeader('It has a tensor at an impossible place.')
    parameters += elements
    if (removedTensorTypes.has(type)) throw new BadHeader('Its weights are of a type that no engine reads any more.')
    // The size of types newer than this list is unknown; the engine checks those.
    const [typeName, perBlock, blockBytes] = tensorTypes.get(type) ?? [null, 1, 0]
    if (elements % perBlock !== 0) throw new BadHeader('It has a tensor of an impossible size.')
    const size = (elements / perBlock) * blockBytes
    end = Math.max(end, offset + size)
    if (typeName !== null) bytesByType.set(typeName, (bytesByType.get(typeName) ?? 0) + size)
    found.push({ name, bytes: size, offset })
  }
  if (count === 0) throw new BadHeader('It holds no weights.')
  const needed = Math.ceil(reader.at / align) * align + end
  if (!Number.isSafeInteger(parameters) || !Number.isSafeInteger(needed))
    throw new BadHeader('It has a tensor of an impossible size.')
  if (needed > fileBytes) throw new BadHeader(`It is cut off: ${needed - fileBytes} bytes of its weights are missing.`)
  checkPlaces(found)
  const [main] = [...bytesByType].sort((a, b) => b[1] - a[1])
  return { parameters, mainType: main?.[0] ?? null, tensors: found }
}

/** Weights that lie in each other: what is read depends on who reads it. */
function checkPlaces(tensors: readonly (TensorBytes & { readonly offset: number })[]): void {
  let end = 0
  for (const { offset, bytes } of tensors.toSorted((a, b) => a.offset - b.offset)) {
    if (offset < end) throw new BadHeader('Two of its tensors lie at the same place.')
    end = offset + bytes
  }
}

function describe(version: number, values: ReadonlyMap<string, Value>, weights: Weights): GgufHeader {
  const text = (key: string): string | null => {
    const found = values.get(key)
    return typeof found === 'string' && found !== '' ? found : null
  }
  const count = (key: string): number | null => {
    const found = values.get(key)
    return typeof found === 'number' && Number.isSafeInteger(found) && found > 0 ? found : null
  }
  const architecture = text('general.architecture')
  if (architecture === null) throw new BadHeader('It does not say which kind of model it holds.')
  if (architecture === 'clip') throw new BadHeader('It is the image part of a model, not a model that chats.')
  checkKnown(architecture, values)
  checkCounts(architecture, values, weights.tensors)
  const parts = count('split.count')
  if (parts !== null && parts > 1) throw new BadHeader(`It is one of ${parts} parts of a model; join them to one file first.`)
  const vocabulary = values.get('tokenizer.ggml.tokens')
  const fileType = values.get('general.file_type')
  return {
    version,
    architecture: architecture.slice(0, 60),
    name: text('general.name')?.slice(0, 200) ?? null,
    contextTokens: count(`${architecture}.context_length`),
    hasChatTemplate: text('tokenizer.chat_template') !== null,
    quantization: (typeof fileType === 'number' ? fileTypes.get(fileType) : undefined) ?? weights.mainType,
    parameters: weights.parameters,
    tokenizer: text('tokenizer.ggml.model')?.slice(0, 60) ?? null,
    vocabulary: typeof vocabulary === 'object' ? vocabulary.items : null,
    licence: text('general.license')?.slice(0, 100) ?? null,
    layout: layoutOf(architecture, values, weights.tensors),
  }
}
