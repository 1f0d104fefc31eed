import {
  type ChatModelFunctions,
  type ChatWrapper,
  GeneralChatWrapper,
  JinjaTemplateChatWrapper,
  type LlamaModel,
  LlamaText,
  resolveChatWrapper,
  type Token,
} from 'node-llama-cpp'
import { chatHistory } from './chat-history.ts'
import type { ChatMessage } from './engine.ts'
import type { ThoughtMarks } from './reasoning-counter.ts'

/** No token of a vocabulary is longer. */
const longestTokenCharacters = 256

/** Whether a text of so many characters has more tokens than the context, however it is read: a text is read in one go, in which the engine does nothing else. */
export function isTooLongFor(contextTokens: number, characters: number): boolean {
  return characters > contextTokens * longestTokenCharacters
}

/** A prompt as the model reads it, and what ends the answer to it. */
export interface PromptTokens {
  readonly tokens: Token[]
  readonly stopTokens: ReadonlySet<Token>
  readonly stopTexts: readonly string[]
  readonly thoughts: ThoughtMarks | undefined
}

/**
 * The model's own template, exactly: the library's built-in look-alikes add a begin token that some templates do not have.
 * A file without a template, or with a broken one, gets the nearest built-in format.
 */
export function chatTemplate(model: LlamaModel): ChatWrapper {
  const template = model.fileInfo.metadata.tokenizer?.chat_template
  if (typeof template === 'string' && template.trim() !== '') {
    try {
      return new JinjaTemplateChatWrapper({ template, tokenizer: model.tokenizer })
    } catch {
      return resolveChatWrapper(model, { warningLogs: false })
    }
  }
  return resolveChatWrapper(model, { warningLogs: false }) ?? new GeneralChatWrapper()
}

/** Message text never becomes a control token, whatever it contains. No system message is added beyond what the template itself has. */
export function chatTokens(
  model: LlamaModel,
  template: ChatWrapper,
  messages: readonly ChatMessage[],
  functions?: ChatModelFunctions,
): PromptTokens {
  const state = template.generateContextState({
    chatHistory: chatHistory(messages),
    ...(functions && { availableFunctions: functions, documentFunctionParams: true }),
  })
  const tokens = withBegin(model, state.contextText.tokenize(model.tokenizer))
  const stopTokens = new Set<Token>()
  const stopTexts: string[] = []
  for (const trigger of state.stopGenerationTriggers) {
    const [first, ...rest] = trigger.tokenize(model.tokenizer)
    if (first === undefined) continue
    if (model.isSpecialToken(first) || model.isEogToken(first)) stopTokens.add(first)
    else stopTexts.push(model.detokenize([first, ...rest], true).trim())
  }
  return {
    tokens,
    stopTokens,
    stopTexts: stopTexts.filter((text) => text !== ''),
    thoughts: thoughtMarks(template),
  }
}

/** Plain continuation: the prompt may name control tokens, as callers of /v1/completions write whole templates into it. */
export function completionTokens(model: LlamaModel, prompt: string): PromptTokens {
  const tokens = withBegin(model, model.tokenize(prompt, true))
  return { tokens, stopTokens: new Set(), stopTexts: [], thoughts: undefined }
}

function withBegin(model: LlamaModel, tokens: Token[]): Token[] {
  const begin = model.tokens.bos
  return begin !== null && model.tokens.shouldPrependBosToken && tokens[0] !== begin ? [begin, ...tokens] : tokens
}

export function thoughtMarks(template: ChatWrapper): ThoughtMarks | undefined {
  const thought = template.settings.segments?.thought
  if (thought?.suffix === undefined) return undefined
  const close = LlamaText(thought.suffix).toString()
  const prefix = thought.prefix
  if (typeof prefix === 'object' && 'type' in prefix) return { open: close.replace('</', '<'), close }
  return { open: LlamaText(prefix).toString(), close }
}
