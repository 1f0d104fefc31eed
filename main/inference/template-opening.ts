import type { ChatModelFunctions, ChatWrapper, LlamaModel, Token } from 'node-llama-cpp'
import type { ChatMessage } from './engine.ts'
import { chatTokens } from './prompt-tokens.ts'

const ask = (content: string): ChatMessage => ({ role: 'user', content })
const rule = (content: string): ChatMessage => ({ role: 'system', content })
const tool: ChatModelFunctions = { probe: { description: 'Probe' } }

/** Chats that have nothing in common: no word, and not the kinds of their messages. */
const probes: readonly { readonly messages: readonly ChatMessage[]; readonly functions?: ChatModelFunctions }[] = [
  { messages: [ask('A letter')] },
  { messages: [ask('7 numbers')] },
  { messages: [rule('Be brief.'), ask('A letter')] },
  { messages: [rule('42 rules.'), ask('7 numbers')] },
  { messages: [{ role: 'assistant', content: 'Hello' }, ask('A letter')] },
  { messages: [ask('A letter')], functions: tool },
]

/**
 * How many tokens at the start of a chat are the template's own, whatever is asked: those that chats without anything in common share. A system
 * message is content, also the one that a template adds where none is given: that there was none is the caller's own affair.
 */
export function templateOpening(model: LlamaModel, template: ChatWrapper): number {
  const read = ({ messages, functions }: (typeof probes)[number]): readonly Token[] | undefined => {
    try {
      return chatTokens(model, template, messages, functions).tokens
    } catch {
      // Templates may refuse such a chat; then nobody has one with this model.
      return undefined
    }
  }
  const [first, ...others] = probes.map(read).filter((tokens) => tokens !== undefined)
  if (first === undefined) return 0
  const different = first.findIndex((token, index) => others.some((tokens) => tokens[index] !== token))
  return different < 0 ? 0 : different
}
