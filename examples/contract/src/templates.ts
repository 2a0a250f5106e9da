/** The folders of the templates. */
export const TEMPLATES = ['fastify', 'express', 'nestjs'] as const;
