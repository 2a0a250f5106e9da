/** The folders of the templates. */
export const TEMPLATES = ['fastify', 'nestjs'] as const;
