import { architectures, pairTokenizers, preTokenizers, tokenizers, withoutTokens } from './gguf-known.ts'
import { type List, type Values, valueTypes } from './gguf-values.ts'
import { BadHeader } from './header-reader.ts'

const { u32, i32, f32, bool, string, array } = valueTypes

/**
 * Properties that the native library reads as memory of a certain type, without looking. What is of another type there ends its process, or makes it
 * read beyond the end of a list.
 */
const scalars: Readonly<Record<string, readonly number[]>> = {
  'general.architecture': [string],
  'general.name': [string],
  'general.alignment': [u32],
  'general.file_type': [u32, i32],
  'tokenizer.ggml.model': [string],
  'tokenizer.ggml.pre': [string],
  'tokenizer.chat_template': [string],
  'tokenizer.ggml.add_bos_token': [bool],
  'tokenizer.ggml.add_eos_token': [bool],
  'tokenizer.ggml.add_space_prefix': [bool],
}
const lists: Readonly<Record<string, readonly number[]>> = {
  'tokenizer.ggml.tokens': [string],
  'tokenizer.ggml.merges': [string],
  'tokenizer.ggml.scores': [f32],
  'tokenizer.ggml.token_type': [u32, i32],
}

/** Throws `BadHeader` when a property that must be of a certain type is of another. `itemType`: of the items, once that is known. */
export function checkExpectedTypes(key: string, type: number, itemType?: number): void {
  const wrong = (): never => {
    throw new BadHeader(`Its property "${key}" is of a wrong type.`)
  }
  const scalar = Object.hasOwn(scalars, key) ? scalars[key] : undefined
  const list = Object.hasOwn(lists, key) ? lists[key] : undefined
  if (scalar !== undefined && !scalar.includes(type)) wrong()
  if (list !== undefined && (type !== array || (itemType !== undefined && !list.includes(itemType)))) wrong()
}

/** Scores and kinds of tokens are read by the number of the token: a list of another length is read beyond its end. */
export function checkTokenLists(values: Values): void {
  const list = (key: string): List | undefined => {
    const found = values.get(`tokenizer.ggml.${key}`)
    return typeof found === 'object' ? found : undefined
  }
  const tokens = list('tokens')
  if (tokens?.items === 0) throw noTokens()
  for (const key of ['scores', 'token_type']) {
    const found = list(key)
    if (found !== undefined && found.items !== (tokens?.items ?? 0))
      throw new BadHeader(`It has ${tokens?.items ?? 0} tokens, but ${found.items} entries in "${key}".`)
  }
}

/**
 * What the native library would refuse with a word in its log only, or end its process at: kinds of models and tokenizers that it does not know, numbers
 * that are none, heads that do not share the width of the model. Throws `BadHeader` with the reason.
 */
export function checkKnown(architecture: string, values: Values): void {
  if (!architectures.has(architecture))
    throw new BadHeader(`The engine does not know this kind of model ("${shown(architecture)}").`)
  const [tokenizer, before] = [values.get('tokenizer.ggml.model'), values.get('tokenizer.ggml.pre')]
  if (typeof tokenizer === 'string' && !tokenizers.has(tokenizer))
    throw new BadHeader(`The engine does not know its kind of tokenizer ("${shown(tokenizer)}").`)
  // The library loads such a file, and ends its process at the first question for a token.
  if (typeof tokenizer === 'string' && withoutTokens.has(tokenizer)) throw noTokens()
  const isRead = typeof tokenizer === 'string' && pairTokenizers.has(tokenizer)
  if (isRead && typeof before === 'string' && before !== '' && !preTokenizers.has(before))
    throw new BadHeader(`The engine does not know how its tokenizer splits text ("${shown(before)}").`)
  for (const [key, value] of values) {
    if (!key.startsWith(`${architecture}.`) || typeof value !== 'number') continue
    const isSmall = /norm(_rms)?_epsilon$/.test(key)
    if (!Number.isFinite(value) || (isSmall && (value < 0 || value > 1)))
      throw new BadHeader(`Its "${shown(key)}" is impossible.`)
  }
  checkHeads((key) => values.get(`${architecture}.${key}`))
}

/** Weights of a kind whose width or number stands in a property: without it the native library takes zero, and ends its process. */
const countedWeights: readonly (readonly [weights: RegExp, key: string])[] = [
  [/^blk\.\d+\.attn_q\.weight$/, 'attention.head_count'],
  [/^blk\.\d+\.ffn_up\.weight$/, 'feed_forward_length'],
]

/** Throws `BadHeader` when the weights are there and what counts them is not. */
export function checkCounts(architecture: string, values: Values, weights: readonly { readonly name: string }[]): void {
  for (const [kind, key] of countedWeights) {
    const value = values.get(`${architecture}.${key}`)
    if ((value === undefined || value === 0) && weights.some(({ name }) => kind.test(name)))
      throw new BadHeader(`It does not state its "${key}".`)
  }
}

/** Of models with as many heads in each layer, which most are. */
function checkHeads(of: (key: string) => ReturnType<Values['get']>): void {
  const [heads, shared, width] = [of('attention.head_count'), of('attention.head_count_kv'), of('embedding_length')]
  if (typeof heads !== 'number' || heads === 0) return
  if (typeof shared === 'number' && shared !== 0 && heads % shared !== 0)
    throw new BadHeader(`Its "attention.head_count_kv" of ${shared} does not divide its ${heads} heads.`)
  if (typeof width === 'number' && of('attention.key_length') === undefined && width % heads !== 0)
    throw new BadHeader(`Its width of ${width} cannot be shared by ${heads} heads.`)
}

const noTokens = (): BadHeader => new BadHeader('It has no tokens, so it can neither read nor write text.')

const shown = (text: string): string => text.slice(0, 60)
